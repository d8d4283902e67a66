#!/usr/bin/env bash
# One task of a job array: runs `w2w ARGUMENTS --shard I/N` as a job step, and comes back when it was cut off.
# Started by train.sbatch, invert.sbatch and finish.sbatch; without an array it runs `w2w ARGUMENTS`.
#
# What may happen, and who brings the task back (people who are finished are skipped, the others go on at their last step):
#   time limit, scancel --signal=TERM   w2w alone gets SIGTERM, saves its state and ends with 130: this script requeues the task
#   preemption                          as either the line above or the one below: that depends on the partition's GraceTime
#   scontrol requeue                    everything gets SIGTERM: w2w saves its state, this script dies, Slurm itself requeues
#   scancel                             the same, but nothing comes back
#   lost node                           Slurm itself requeues (--requeue); people go on at their last saved state
#   kill -9, out of memory              137: this script requeues, three times at most
#   any other failure                   nothing comes back: the same would happen again. finish.sbatch says what is missing
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${W2W_SLURM_PROGRAM:-w2w}
restarts=${SLURM_RESTART_COUNT:-0}
task=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
task=${task:-$SLURM_JOB_ID}   # never the plain job id of an array's task: one of them has that of the whole array
say() { printf '%s: %s, task %s: %s\n' "$(date +%FT%T)" "$(hostname)" "$task" "$*" >&2; }

share=()
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
  # Part of an array (--array=3) must not be taken for all of it.
  shards=${W2W_SLURM_SHARDS:-$SLURM_ARRAY_TASK_MAX}
  if [[ -z ${W2W_SLURM_SHARDS:-} && $SLURM_ARRAY_TASK_MIN-$SLURM_ARRAY_TASK_MAX != "1-$SLURM_ARRAY_TASK_COUNT" ]]; then
    say "expected --array=1-N, found $SLURM_ARRAY_TASK_COUNT tasks from $SLURM_ARRAY_TASK_MIN to $SLURM_ARRAY_TASK_MAX; to run" \
      "some of N parts again, export W2W_SLURM_SHARDS=N"
    exit 2
  fi
  share=(--shard "$SLURM_ARRAY_TASK_ID/$shards")
fi
# Another table would be divided otherwise: two tasks could then have the same person.
if [[ -n ${W2W_SLURM_NAMES:-} && $("$here/check.py" --fingerprint "$W2W_SLURM_TABLE") != "$W2W_SLURM_NAMES" ]]; then
  say "the table has changed since it was submitted ($W2W_SLURM_TABLE); scancel ${task%_*}, then submit it again"
  exit 2
fi

say "w2w $* ${share[*]} (restart $restarts)"
# srun does not take the number of CPUs from sbatch since Slurm 22.05.
srun --ntasks=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "$program" "$@" "${share[@]}" --threads "${SLURM_CPUS_PER_TASK:-1}"
code=$?
say "exit code $code"
case $code in
  130) limit=${W2W_SLURM_RESTARTS:-100} ;;   # an end to tasks whose time limit is too short for a single step
  129 | 13[1-9] | 14? | 15?) limit=3 ;;      # ended by a signal
  *) limit=0 ;;
esac
if ((restarts < limit)); then
  say "requeued"
  scontrol requeue "$task"
elif ((limit)); then
  say "given up after $restarts restarts"
fi
exit "$code"
