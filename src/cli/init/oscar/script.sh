#!/bin/sh
# Runs once for each input: it finds the input in $INPUT_FILE_PATH and leaves its results in $TMP_OUTPUT_DIR. What it
# prints goes to the log; a non-zero exit code is a failure.
set -eu

echo "input: $INPUT_FILE_PATH"
tr '[:lower:]' '[:upper:]' <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/result.txt"
