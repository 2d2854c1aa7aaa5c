"""The benchmark: `make bench`. It prints what section 7 of the first issue asks for, and fails no one."""
