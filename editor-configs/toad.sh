#!/bin/sh
# Work on a project in Toad: ./toad.sh [FOLDER], or the folder you are in.
exec toad acp "openhands-acp" "${1:-.}" -t OpenHands
