#!/bin/sh
# Everybody in a table with the columns name, image and mask:  scripts/run_inversion.sh people.csv -o people [options of w2w invert]
exec "$(dirname "$0")/../build/w2w" invert --batch-file "$@"
