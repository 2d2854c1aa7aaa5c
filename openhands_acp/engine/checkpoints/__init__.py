"""Earlier states of the files: kept, compared and gone back to."""
