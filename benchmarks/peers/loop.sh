#!/bin/sh
# What a script does in place of a plan: read each instance, and compare its bots with a file.
# URL NAMES WANTED: the server, a file with a name a line, the bots as jq sorts them.
set -eu
while read -r name; do
    curl -sS "$1/openai/find/$name" | jq -S 'map(del(.id, .instanceId, .openaiCredsId))' | cmp - "$3"
    curl -sS "$1/evolutionBot/find/$name" | jq -e 'length == 0' >/dev/null
    curl -sS "$1/openai/creds/$name" | jq -e 'length == 1' >/dev/null
done <"$2"
