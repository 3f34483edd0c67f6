#!/usr/bin/env bash
# zai-sdk 0.2.3 and zhipuai 2.1.5.20250825, both the same vendor's clients for Python, cannot stand in one environment.
#
# zai-sdk wants PyJWT from 2.9 on, zhipuai wants PyJWT before 2.9. Seen: pip refuses the two together with
# "ResolutionImpossible"; each is installed by itself. A program that moves from the one to the other cannot do so call
# by call.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip=("$work/venv/bin/pip" install --dry-run --quiet --disable-pip-version-check)
"${pip[@]}" zai-sdk==0.2.3
"${pip[@]}" zhipuai==2.1.5.20250825
if "${pip[@]}" zai-sdk==0.2.3 zhipuai==2.1.5.20250825 > "$work/said" 2>&1; then
    echo "this has changed: they can stand together" >&2
    exit 1
fi
grep -i -m 3 -E "pyjwt|ResolutionImpossible" "$work/said"
grep -q ResolutionImpossible "$work/said"
