//! A study on a real SLURM, which runs on this machine for the time of a test: its daemons, with a key, sockets, ports and folders
//! of their own. `.ci/run` unpacks Debian's packages; nothing is installed or configured.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::{begun, leftovers, small, succeed, tables};
use crate::suite::cli::text;
use crate::suite::{Missing, skipped, wait_until};

/// The daemons of a cluster of one machine. Dropped, they end.
struct Slurm {
    root: PathBuf,
    place: PathBuf,
    daemons: Vec<Child>,
}

impl Slurm {
    /// Starts it below a folder; `None` where SLURM is not here.
    fn start(place: &Path) -> Option<Self> {
        // Where `.ci/run` unpacked it, or the system's.
        let root = std::env::var_os("KERNELSCOPE_BATCH_SYSTEMS").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let daemon = |name: &str| {
            ["", "-wlm"].map(|end| root.join(format!("usr/sbin/{name}{end}"))).into_iter().find(|path| path.exists())
        };
        let (munged, ctld, slurmd, stepd) =
            (daemon("munged")?, daemon("slurmctld")?, daemon("slurmd")?, daemon("slurmstepd")?);
        for name in ["run", "state", "spool", "log"] {
            fs::create_dir_all(place.join(name)).unwrap();
        }
        let key = place.join("munge.key");
        fs::write(&key, (0..128_u32).map(|place| (place * 37 + std::process::id()) as u8).collect::<Vec<_>>()).unwrap();
        for (path, mode) in [(&key, 0o600), (&place.join("run"), 0o755)] {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        fs::write(place.join("slurm.conf"), configuration(&root, place)).unwrap();
        let mut slurm = Self { root, place: place.to_owned(), daemons: Vec::new() };
        let socket = place.join("run/munge.socket");
        let at = |name: &str, file: &str| format!("--{name}={}", place.join(file).display());
        slurm.spawn(
            &munged,
            &[
                "-F".to_owned(),
                "--force".to_owned(),
                at("socket", "run/munge.socket"),
                at("key-file", "munge.key"),
                at("pid-file", "run/munged.pid"),
                at("log-file", "log/munged.log"),
                at("seed-file", "run/munge.seed"),
            ],
        );
        wait_until("munged has its socket", || socket.exists());
        let conf = place.join("slurm.conf").display().to_string();
        slurm.spawn(&ctld, &["-D".to_owned(), "-f".to_owned(), conf.clone()]);
        let stepd = stepd.display().to_string();
        slurm
            .spawn(&slurmd, &["-D".to_owned(), "-f".to_owned(), conf, "-d".to_owned(), stepd, "-N".to_owned(), host()]);
        wait_until("the node is idle", || {
            slurm.ended();
            text(&slurm.ask("sinfo", &["-h", "-o", "%T"]).stdout) == "idle"
        });
        Some(slurm)
    }

    /// Fails if a daemon has ended.
    fn ended(&mut self) {
        for daemon in &mut self.daemons {
            if let Some(code) = daemon.try_wait().unwrap() {
                let logs = fs::read_dir(self.place.join("log")).unwrap().flatten();
                let said: String = logs.map(|log| fs::read_to_string(log.path()).unwrap_or_default()).collect();
                panic!("a daemon ended with {code}: {said}");
            }
        }
    }

    fn spawn(&mut self, program: &Path, args: &[String]) {
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        let log = File::create(self.place.join("log").join(format!("{name}.out"))).unwrap();
        let mut command = Command::new(program);
        self.environment(&mut command).args(args).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        self.daemons.push(command.spawn().unwrap());
    }

    /// Sets what unpacked programs need to find each other.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let libraries = self.root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
        let path = format!("{}:{}", libraries.display(), libraries.join("slurm-wlm").display());
        command.env("LD_LIBRARY_PATH", path).env("SLURM_CONF", self.place.join("slurm.conf"))
    }

    fn ask(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(self.root.join("usr/bin").join(program));
        self.environment(&mut command).args(args).output().unwrap()
    }

    /// Submits a script; returns the number of the job.
    fn submit(&self, script: &Path) -> String {
        let done = self.ask("sbatch", &["--parsable", &script.display().to_string()]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    }

    /// Returns the state and exit code of each task of a job.
    fn tasks(&self, job: &str) -> Vec<String> {
        let shown = text(&self.ask("scontrol", &["--oneliner", "show", "job", job]).stdout);
        let field = |line: &str, name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        shown.lines().map(|line| format!("{} {}", field(line, "JobState="), field(line, "ExitCode="))).collect()
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn host() -> String {
    text(&Command::new("uname").arg("-n").output().unwrap().stdout).split('.').next().unwrap_or_default().to_owned()
}

/// A port that is free now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The configuration: one node of two processors, scheduling without delay, no limits by control groups.
fn configuration(root: &Path, place: &Path) -> String {
    let (place, host, user) = (place.display(), host(), text(&Command::new("id").arg("-un").output().unwrap().stdout));
    let plugins = root.join("usr/lib").join(format!("{}-linux-gnu/slurm-wlm", std::env::consts::ARCH));
    let (plugins, controller, node) = (plugins.display(), port(), port());
    format!(
        "ClusterName=test\n\
         SlurmctldHost={host}(127.0.0.1)\n\
         AuthType=auth/munge\nAuthInfo=socket={place}/run/munge.socket\nCredType=cred/munge\n\
         SlurmUser={user}\nSlurmdUser={user}\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
         SlurmctldPidFile={place}/run/slurmctld.pid\nSlurmdPidFile={place}/run/slurmd.pid\n\
         StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool\n\
         SlurmctldLogFile={place}/log/slurmctld.log\nSlurmdLogFile={place}/log/slurmd.log\n\
         PluginDir={plugins}\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
         SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n\
         SchedulerType=sched/backfill\nJobAcctGatherType=jobacct_gather/none\nReturnToService=2\nMpiDefault=none\n\
         SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1\n\
         NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN\n\
         PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
}

/// Twelve runs as the script says that the program prints, two at a time; one is killed by force and one is requeued.
#[test]
fn an_array_of_twelve_with_one_killed_and_requeued_gives_the_table_of_one_process() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let Some(slurm) = Slurm::start(&here.join("slurm")) else {
        return skipped(Missing::Installable, "SLURM is not here, so no array was run");
    };
    let mut spec = small(6);
    spec.tasks.epochs = vec![4.0, 2.0];
    fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--plan", "study"]);
    let script = text(&succeed(here, &["study", "study", "--script", "slurm"]).stdout);
    assert!(script.contains("#SBATCH --array=1-12%8\n"), "{script}");
    fs::write(here.join("array.sh"), script.replace("%8", "%2")).unwrap();
    let job = slurm.submit(&here.join("array.sh"));

    // The first task is requeued by the scheduler while it runs, the second one killed by force.
    let folder = |task: usize| here.join("study/runs").join(format!("16-seed-{task}"));
    let claimed = |task: usize| kernelscope::storage::holder_of(&folder(task));
    wait_until("the first task writes its run", || claimed(1).is_some() && folder(1).join("metrics.csv").exists());
    let done = slurm.ask("scontrol", &["requeue", &format!("{job}_1")]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    wait_until("the second task writes its run", || claimed(2).is_some());
    let victim = claimed(2).unwrap();
    assert!(victim.process.job.contains(&format!("{job}_2")), "{victim:?}");
    assert!(Command::new("kill").args(["-KILL", &victim.process.process.to_string()]).status().unwrap().success());
    let state = |task: usize| slurm.tasks(&format!("{job}_{task}")).first().cloned().unwrap_or_default();
    wait_until("the first task waits", || state(1).starts_with("PENDING"));
    // A task that is requeued would wait for two minutes.
    let now = slurm.ask("scontrol", &["update", &format!("JobId={job}_1"), "StartTime=now"]);
    assert!(now.status.success(), "{}", text(&now.stderr));
    wait_until("the second task has failed", || state(2).starts_with("FAILED"));
    let again = slurm.ask("scontrol", &["requeue", &format!("{job}_2")]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    wait_until("the second task waits", || state(2).starts_with("PENDING"));
    slurm.ask("scontrol", &["update", &format!("JobId={job}_2"), "StartTime=now"]);
    wait_until("the array is done", || {
        let tasks = slurm.tasks(&job);
        tasks.len() == 12 && tasks.iter().all(|task| task == "COMPLETED 0:0")
    });

    succeed(here, &["study", "study", "--collect"]);
    succeed(here, &["study", "--config", "study.toml", "--out", "whole"]);
    assert_eq!(tables(&here.join("study")), tables(&here.join("whole")));
    assert_eq!(leftovers(&here.join("study")), Vec::<PathBuf>::new());
    let times = begun(&here.join("study"));
    assert_eq!((times[0], times[1]), (2, 2), "{times:?}");
    assert!(times[2..].iter().all(|times| *times == 1), "{times:?}");
}
