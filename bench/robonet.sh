#!/usr/bin/env bash
# Both models on real recordings for some minutes, scored on held-out ones.
# Usage: bench/robonet.sh RECORDINGS FOLDER
set -euo pipefail
recordings=${1:?usage: bench/robonet.sh RECORDINGS FOLDER}
folder=${2:?usage: bench/robonet.sh RECORDINGS FOLDER}

for name in predrnn mode-rnn; do
    run=$folder/$name
    worldmodel train --config "robonet-$name" --data.path "$recordings" --output "$run"
    worldmodel evaluate --config robonet-evaluation --data.path "$recordings" \
        --split "$run/split.json" --checkpoint "$run/checkpoint" --output "$run/evaluation"
done
