use std::time::Instant;
use kernelscope::record::{Block, Event, History, Metric};
use kernelscope::spec::{Spec, preset};
use kernelscope::worker::{DeviceChoice, Job, Worker};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut spec: Spec = preset(&args[0]).unwrap().spec();
    for a in &args[1..] { spec.set(a).unwrap(); }
    let t = Instant::now();
    let w = Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: false }, Box::new(|| {}));
    let mut h = History::default();
    loop {
        let Some(e) = w.recv_timeout(std::time::Duration::from_secs(600)) else { break };
        let end = matches!(e, Event::Ended(_));
        if std::env::var("V").is_ok() { if let Event::Snapshot(s) = &e {
            let b = &s.row.blocks[1];
            println!("{:5} {:.3} t{} loss {:.3} v {:?} ang {:?} dw {:?} sus {:?} lmax {:.4} lmin {:.2e} al {:.3} {:?} {:?} er {:.2} acc {:?} cost {:?}", s.row.step, s.row.epoch, s.row.task, b.loss, b.velocity, b.velocity_angle, b.step_norm, b.susceptibility, b.lambda_max, b.lambda_min, b.alignment, b.alignment_centred, b.alignment_full, b.effective_rank, s.row.accuracy.iter().map(|a| (a.accuracy, a.masked)).collect::<Vec<_>>(), s.row.cost);
        } }
        h.push(e);
        if end { break }
    }
    println!("{:?} {:.1}s sps {:.0} share {:.2}", h.state(), t.elapsed().as_secs_f64(), h.progress().steps_per_second, h.progress().kernel_share);
    for s in h.spikes(Block::Task(1), Metric::Velocity).iter().flatten() { println!("spike ratio {:.2} delay {:.3} height {:.3e} bg {:.3e} fake {:.3e}", s.ratio, s.delay, s.height, s.background, s.fake); }
    for s in h.spikes(Block::Task(1), Metric::VelocityAngle).iter().flatten() { println!("angle ratio {:.2}", s.ratio); }
    for d in h.dips(Block::Task(1)).iter().flatten() { println!("dip {:.3} at {:.2} recovery {:.3}", d.depth, d.epoch, d.recovery); }
    let rows = h.rows();
    for t in h.tasks() { if let Some(r) = rows.iter().find(|r| r.step == t.step) { println!("at {} {:?}", t.epoch, r.accuracy.iter().map(|a| (a.accuracy, a.masked)).collect::<Vec<_>>()); } }
    println!("end {:?}", rows.last().unwrap().accuracy.iter().map(|a| (a.accuracy, a.masked)).collect::<Vec<_>>());
}
