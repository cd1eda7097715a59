#!/bin/sh
# The example's function: the text in upper case, as one output file.
set -eu
tr '[:lower:]' '[:upper:]' < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/upper.txt"
