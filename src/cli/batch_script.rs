//! `kernelscope study STUDY --script`: prints a script that does the tasks of a study on a batch system.
//!
//! What a script asks of the system (time, memory, how many at once) is a first guess, in lines that a reader finds at its head.

use std::path::{Path, absolute};

use clap::ValueEnum;

use super::refused::RefusedRequest;
use crate::storage::{LOGS, StudyFolder};
use crate::worker::progress::largest_bytes;
use crate::worker::threads;

/// The systems for which there is a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BatchSystem {
    /// A job array of SLURM
    Slurm,
    /// A task array of HyperQueue
    Hyperqueue,
    /// GNU parallel, on this machine or over ssh
    Parallel,
}

/// Most tasks of an array; of a larger study a task does several runs.
const MOST_TASKS: usize = 200;
/// Tasks at a time, to begin with.
const AT_ONCE: usize = 8;
/// Memory of the program itself, in MiB, beside that of a run.
const PROGRAM_MIB: u64 = 512;

/// Returns the script. The folder of the logs is made, because a batch system would not.
pub(super) fn script(folder: &StudyFolder, system: BatchSystem) -> anyhow::Result<String> {
    let tasks = folder.task_count();
    if tasks == 0 {
        folder.runs_of_tasks(&[1]).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    folder.make_logs()?;
    let place = absolute(folder.folder())?;
    let (study, logs) = (word(&place)?, word(&place.join(LOGS))?);
    let program = word(&std::env::current_exe()?)?;
    let name = place.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let name: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let runs = tasks.div_ceil(MOST_TASKS);
    let jobs = tasks.div_ceil(runs.max(1));
    let mib = (largest_bytes(folder.runs()) >> 20) + PROGRAM_MIB;
    // A run takes all processors of its task.
    let run_task = "\"$kernelscope\" run --study \"$study\" --task \"$first-$last\" --jobs 1";
    let numbers = |id: &str| {
        format!(
            "first=$(( ({id} - 1) * runs + 1 ))\n\
             last=$(( {id} * runs ))\n\
             if [ \"$last\" -gt {tasks} ]; then last={tasks}; fi\n"
        )
    };
    let several = if runs == 1 {
        format!("# Runs of a task. With more, the array ends at {tasks} divided by it, rounded up.\nruns=1\n")
    } else {
        format!("# Runs of a task: {tasks} divided by it, rounded up, is the end of the array.\nruns={runs}\n")
    };
    let paths = format!("kernelscope={program}\nstudy={study}\n");
    Ok(match system {
        BatchSystem::Slurm => format!(
            "#!/bin/bash\n\
             # The {tasks} runs of a Kernelscope study as an array of SLURM. Read it, change what your cluster needs, and submit it\n\
             # with sbatch. A task that is stopped or killed goes on when it is requeued; submitted again, only what is missing is\n\
             # done. A task ends with 0 only when its runs are done.\n\
             #SBATCH --job-name={name}\n\
             # After the % how many run at a time.\n\
             #SBATCH --array=1-{jobs}%{at_once}\n\
             #SBATCH --ntasks=1\n\
             #SBATCH --cpus-per-task=1\n\
             #SBATCH --mem={mib}M\n\
             #SBATCH --time=01:00:00\n\
             # A minute before the time is up the run is stopped in order.\n\
             #SBATCH --signal=B:TERM@60\n\
             #SBATCH --requeue\n\
             #SBATCH --open-mode=append\n\
             #SBATCH --output={log}\n\
             \n\
             {paths}{several}{numbers}\
             # exec: the signals of SLURM reach the program itself.\n\
             exec {run_task}\n",
            at_once = AT_ONCE.min(jobs),
            log = place.join(LOGS).join("slurm-%A_%a.out").display(),
            numbers = numbers("SLURM_ARRAY_TASK_ID"),
        ),
        BatchSystem::Hyperqueue => format!(
            "#!/bin/bash\n\
             # The {tasks} runs of a Kernelscope study as an array of HyperQueue, whose server and workers are there already. Read it,\n\
             # change what you need, and start it with bash. Started again, only what is missing is done. It ends with 0 only when\n\
             # all tasks are done.\n\
             {paths}logs={logs}\n{several}\
             # What the workers have decides how many run at a time.\n\
             exec hq submit --wait --name={name} --array=1-{jobs} --cpus=1 --time-limit=1h \\\n  \
             --env kernelscope=\"$kernelscope\" --env study=\"$study\" --env runs=\"$runs\" \\\n  \
             --stdout=\"$logs/hq-%{{JOB_ID}}-%{{TASK_ID}}.out\" --stderr=\"$logs/hq-%{{JOB_ID}}-%{{TASK_ID}}.err\" \\\n  \
             -- bash -c '\n{numbers}exec {run_task}'\n",
            numbers = numbers("HQ_TASK_ID"),
        ),
        BatchSystem::Parallel => format!(
            "#!/bin/bash\n\
             # The {tasks} runs of a Kernelscope study with GNU parallel. Read it, change what you need, and start it with bash.\n\
             # Started again, only what is missing is done. It ends with 0 only when all tasks are done. --sshloginfile HOSTS\n\
             # spreads them over machines that see the same folder.\n\
             {paths}logs={logs}\n\
             # Runs at a time.\n\
             at_once={at_once}\n\
             cut -f 1 \"$study/tasks.txt\" | exec parallel --jobs \"$at_once\" --joblog \"$logs/parallel.txt\" --quote --halt never \\\n  \
             \"$kernelscope\" run --study \"$study\" --task {{}} --jobs 1\n",
            at_once = threads::usable(),
        ),
    })
}

/// Returns a path as a word for a shell.
fn word(path: &Path) -> anyhow::Result<String> {
    let text = path.to_string_lossy();
    Ok(shlex::try_quote(&text).map_err(|_| RefusedRequest(format!("{text} is no path for a script")))?.into_owned())
}
