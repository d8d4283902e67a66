#!/usr/bin/env bash
# Many people on a Slurm cluster, from a table to the finished folder or space:
#   submit.sh train people.csv -o loras --shards 16 --build space
#   submit.sh train people.csv -o loras --shards 64 --parallel 8 --sbatch "-p gpu --gres=gpu:1 -c 4 -t 12:00:00" -- --steps 400
#   submit.sh invert photos.csv -o people --shards 8 -- --space my-space --method fast
#
# Three jobs: the class pictures, which all share (train, unless --prior-weight 0); an array with a task for each shard of the table; a check that
# everybody is there, once, which then builds the space. The same command again does what is missing, and nothing else.
#
#   -o FOLDER            on a file system that all nodes see; notes and logs go to FOLDER.slurm
#   --shards N           tasks of the array; default: 8, or the number of people
#   --parallel N         tasks that run at once; default: as many as Slurm starts
#   --sbatch OPTIONS     for the class pictures and the array: partition, GPU, time limit, ...; as often as you like
#   --build SPACE        train: w2w space build of FOLDER when everybody is there
#   --build-options OPTIONS   of w2w space build: "--components 1000"
#   --finish OPTIONS     for the sbatch of check and build, which needs no GPU
#   --restarts N         of a task that was asked to stop; default: 100
#   --dry-run            print the commands, run nothing
#   -- OPTIONS           of w2w train or w2w invert
# SBATCH_PARTITION, SBATCH_ACCOUNT, ... work as ever; W2W_SLURM_PROGRAM is the w2w to run (default: build/w2w of this checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'submit.sh: %s\n' "$*" >&2; }
usage() { say "error: $*"; say "submit.sh --help says more"; exit 2; }

typed=("$0" "$@") typed_program=${W2W_SLURM_PROGRAM:+W2W_SLURM_PROGRAM=$(printf %q "$W2W_SLURM_PROGRAM") }
command='' table='' output='' shards='' parallel='' space='' dry=no
sbatch=() finish=() build=()
while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --dry-run) dry=yes; shift; continue ;;
    --) shift; break ;;
    -o | --output | --shards | --parallel | --build | --build-options | --restarts | --sbatch | --finish)
      (($# > 1)) || usage "$1 expects a value" ;;&
    -o | --output) output=$2 ;;
    --shards) shards=$2 ;;
    --parallel) parallel=$2 ;;
    --build) space=$2 ;;
    --restarts) export W2W_SLURM_RESTARTS=$2 ;;
    --sbatch) read -ra words <<<"$2"; sbatch+=("${words[@]}") ;;
    --finish) read -ra words <<<"$2"; finish+=("${words[@]}") ;;
    --build-options) read -ra words <<<"$2"; build+=("${words[@]}") ;;
    -*) usage "unknown option '$1'; options of w2w itself come after --" ;;
    *)
      if [[ -z $command ]]; then command=$1; elif [[ -z $table ]]; then table=$1; else usage "unexpected '$1'"; fi
      shift
      continue ;;
  esac
  shift 2
done
[[ $command == train || $command == invert ]] || usage "expected train or invert, found '$command'"
[[ -n $table ]] || usage "which table of people?"
[[ -n $output ]] || usage "-o FOLDER is missing"
[[ -z $space || $command == train ]] || usage "--build is for train: inversions are of a space already"
[[ -n $space || ${#build[@]} -eq 0 ]] || usage "--build-options without --build SPACE"
for number in "$shards" "$parallel" "${W2W_SLURM_RESTARTS:-}"; do
  [[ $number =~ ^([1-9][0-9]{0,5})?$ ]] || usage "expected a number from 1, found '$number'"
done
table=$(realpath "$table") output=$(realpath -m "$output") notes=$(realpath -m "$output").slurm
[[ -z $space ]] || space=$(realpath -m "$space")
program=${W2W_SLURM_PROGRAM:-$here/../../build/w2w}
program=$(command -v "$program") || { say "error: no w2w ($program): build it, or set W2W_SLURM_PROGRAM"; exit 4; }
work=(--batch-file "$table" -o "$output" "$@")
listed=$("$program" "$command" "${work[@]}" --list --json -q)   # also refuses tables, pictures and options that w2w does not take
read -r people class_pictures < <(python3 -c 'import json, sys; listed = json.load(sys.stdin)
print(len(listed["people"]), "yes" if listed.get("class_pictures") else "no")' <<<"$listed")
shards=${shards:-8}
((shards <= people)) || { say "$people people, so $people shards"; shards=$people; }
W2W_SLURM_PROGRAM=$(realpath "$program") W2W_SLURM_FOLDER=$here W2W_SLURM_SHARDS=$shards
W2W_SLURM_TABLE=$table
export W2W_SLURM_PROGRAM
W2W_SLURM_NAMES=$("$here/check.py" --fingerprint "$table")
export W2W_SLURM_FOLDER W2W_SLURM_SHARDS W2W_SLURM_TABLE W2W_SLURM_NAMES

submit() {  # submit NAME ARGUMENTS...: the job's id on stdout, NAME's where nothing is run
  local name=$1 id
  shift
  local call=(sbatch --parsable --export=ALL "$@")
  if [[ $dry == yes ]]; then
    { printf '%q ' "${call[@]}"; echo; } >&2
    id=$name
  else
    id=$("${call[@]}") || { say "error: sbatch failed"; exit 1; }
    id=${id%%;*}   # the cluster's name follows where there are several
    echo "$id" >>"$notes/jobs"
    echo "$name $id" >&3
  fi
  echo "$id"
}

if [[ $dry == no ]]; then
  command -v sbatch >/dev/null || { say "error: no sbatch on this machine: expected one where jobs can be submitted"; exit 4; }
  mkdir -p "$output" "$notes"
  exec 9>"$notes/lock"
  flock -n 9 || { say "error: another submit.sh is at work on $output"; exit 1; }
  if [[ -s $notes/jobs ]]; then
    left=$(squeue --noheader --me --format='%A %i' | awk 'NR == FNR {mine[$1]; next} $1 in mine || $2 in mine {print $2}' "$notes/jobs" - | xargs)
    [[ -z $left ]] || { say "error: still at work on $output: jobs $left; wait for them, or scancel them"; exit 1; }
  fi
  : >"$notes/jobs"
  { printf 'cd %q && %s' "$PWD" "$typed_program"; printf '%q ' "${typed[@]}"; echo; } >"$notes/command"
fi
exec 3>&1
ready=()
if [[ $class_pictures == yes ]]; then
  first=$(submit prepare --output="$notes/prepare-%j.log" "${sbatch[@]}" "$here/train.sbatch" "${work[@]}" --prepare)
  ready=(--dependency="afterok:$first" --kill-on-invalid-dep=yes)
fi
array=$(submit array --array="1-$shards${parallel:+%$parallel}" --output="$notes/%A_%a.log" "${ready[@]}" "${sbatch[@]}" \
  "$here/$command.sbatch" "${work[@]}")
submit finish --dependency="afterany:$array" --output="$notes/finish-%j.log" "${finish[@]}" \
  "$here/finish.sbatch" "$table" "$output" ${space:+-o "$space" "${build[@]}"} >/dev/null
[[ $dry == yes ]] || say "squeue --me shows how it goes, $notes holds the logs"
