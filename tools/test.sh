#!/usr/bin/env bash
# tools/test.sh BUILD: runs ctest, then pytest, and fails if either fails. pytest comes last, also after a failed
# ctest, so that one run tells everything and its closing line is the last.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}

ctest --test-dir "$build" --output-on-failure --no-tests=error
cpp=$?
# doctest prints what it skips, but ctest hides the output of a test that passes.
grep -h '^SKIPPED' "$build/Testing/Temporary/LastTest.log"
[ $cpp -eq 0 ] || echo "the C++ tests FAILED (see above); the Python tests follow"

PYTHONPATH="$build/python" .venv-oracles/bin/python -m pytest tests/python -rs -q --disable-warnings --durations=8 -p no:cacheprovider
python=$?
[ $cpp -eq 0 ] && [ $python -eq 0 ]
