#!/bin/sh
# What it prints is the result. The arguments are those of the command in oms.yml.
set -eu

printf '%s\n' "$1" | wc "--$2"
