#!/usr/bin/env bash
# The longer recipe: logs, both shipped models, 50 planned episodes of each task with each.
# Usage: bench/tabletop.sh FOLDER; some hours on two cores, and it goes on where it stopped.
set -euo pipefail
folder=${1:?usage: bench/tabletop.sh FOLDER}

worldmodel collect --config tabletop-logs --output "$folder/logs"
for model in predrnn mode-rnn; do
    run=$folder/$model
    if [ -d "$run/resume" ]; then
        worldmodel train --resume "$run"
    else
        worldmodel train --config "tabletop-$model" --data.path "$folder/logs" --output "$run"
    fi
    for task in "reach 0" "push 1"; do
        read -r name seed <<<"$task"
        worldmodel plan "$run" --task "$name" --episodes 50 --seed "$seed"
    done
done
