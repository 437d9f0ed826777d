//! Looks for differences between our stack and the host's kernel: random scripts of calls and packets are recorded
//! on both, and the records compared. `cargo run --example differ -- FIRST_SEED COUNT [JOBS]`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cauce_drill::{Against, Options, record_file};

/// splitmix64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

const OPENING: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
";

/// A script of a server whose peer does odd things.
fn script(seed: u64) -> String {
    let mut random = Random(seed);
    let sack = random.below(4) > 0;
    let mut text = String::new();
    if random.below(3) == 0 {
        text.push_str("`sysctl -q net.ipv4.tcp_early_retrans=0`\n");
    }
    text.push_str(OPENING);
    let options = if sack { "<mss 1000,sackOK,nop,nop,nop,wscale 7>" } else { "<mss 1000>" };
    let window = if sack { 257 } else { 32792 };
    let rtt = random.one_of(&[40, 100]);
    text.push_str(&format!("+0 < S 0:0(0) win 32792 {options}\n+0 > S. 0:0(0) ack 1 <...>\n"));
    text.push_str(&format!("+.{rtt:03} < . 1:1(0) ack 1 win {window}\n+0 accept(3, ..., ...) = 4\n"));
    text.push_str("+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n");
    if random.below(2) == 0 {
        text.push_str("+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n");
    }
    let (mut written, mut acked, mut received) = (1u64, 1u64, 1u64);
    for _ in 0..6 + random.below(16) {
        let gap = random.one_of(&[0, 0, 0, 2, 7, 20, 20, 60, 60, 150, 450]);
        let gap = format!("+.{gap:03}");
        match random.below(13) {
            0..=3 => {
                let len = random.one_of(&[1, 100, 700, 1000, 1500, 2000, 3500, 5000, 10000, 12000]);
                text.push_str(&format!("{gap} write(4, ..., {len}) = {len}\n"));
                written += len;
            }
            4..=8 => {
                let most = (written - acked).min(12_000);
                let ack = match random.below(5) {
                    0 => acked,
                    1 => acked + most,
                    _ => acked + random.below(most / 1000 + 1) * 1000,
                }
                .min(written);
                let mut blocks = Vec::new();
                if sack && ack < written && random.below(2) == 0 {
                    let mut at = ack;
                    for _ in 0..1 + random.below(2) {
                        at += 1000 * (1 + random.below(2));
                        let end = at + 1000 * (1 + random.below(3));
                        if end <= written && end <= acked + 10_000 {
                            blocks.insert(0, format!("{at}:{end}"));
                            at = end;
                        }
                    }
                }
                let list = if blocks.is_empty() {
                    String::new()
                } else {
                    format!(" <nop,nop,sack {}>", blocks.join(" "))
                };
                let window = if random.below(10) == 0 { random.one_of(&[0, 10, 16]) } else { window };
                text.push_str(&format!("{gap} < . {received}:{received}(0) ack {ack} win {window}{list}\n"));
                acked = ack;
            }
            9..=10 if seed.is_multiple_of(2) => {}
            9..=10 => {
                let len = random.one_of(&[1, 100, 1000, 1000, 1000]);
                let from = match random.below(6) {
                    0 => received + 1000,
                    1 => received + 3000,
                    2 => received.saturating_sub(500).max(1),
                    _ => received,
                };
                text.push_str(&format!("{gap} < P. {from}:{}({len}) ack {acked} win {window}\n", from + len));
                if from <= received {
                    received = received.max(from + len);
                }
            }
            11 => text.push_str(&format!("{gap} read(4, ..., 5000) = ?\n")),
            _ => {
                if random.below(4) == 0 {
                    text.push_str(&format!("{gap} shutdown(4, SHUT_WR) = 0\n"));
                } else if random.below(4) == 0 {
                    text.push_str(&format!("{gap} < F. {received}:{received}(0) ack {acked} win {window}\n"));
                    received += 1;
                    // Its ACK leaves by a timer of no length, which is a tick of the kernel's clock.
                    text.push_str("+.02 %{ pass }%\n");
                }
            }
        }
    }
    text.push_str("+.9 %{ pass }%\n");
    text
}

/// Time in milliseconds and text of every line of a record, windows left out.
fn lines(record: &str) -> Vec<(f64, String)> {
    let mut at = 0.0;
    let mut all = Vec::new();
    for line in record.lines() {
        let Some((time, text)) = line.strip_prefix('+').and_then(|line| line.split_once(' ')) else {
            continue;
        };
        at += time.parse::<f64>().unwrap_or(0.0) * 1000.0;
        let mut words: Vec<&str> = text.split(' ').collect();
        if text.starts_with('>')
            && let Some(win) = words.iter().position(|word| *word == "win")
        {
            words.drain(win..win + 2);
        }
        all.push((at, words.join(" ")));
    }
    all
}

/// The first packet that differs, in what it says or in when it left. The kernel's timers run on steps of 4 ms and
/// more, so that a packet may change places with an event beside it; what the script does is the same on both.
fn differ(kernel: &[(f64, String)], core: &[(f64, String)]) -> Option<String> {
    let end = kernel.last().map_or(0.0, |(at, _)| *at);
    let packets = |lines: &[(f64, String)]| -> Vec<(f64, String)> {
        lines.iter().filter(|(_, text)| text.starts_with('>')).cloned().collect()
    };
    let (kernel, core) = (packets(kernel), packets(core));
    for i in 0..kernel.len().max(core.len()) {
        let (Some((at, text)), Some((core_at, core_text))) = (kernel.get(i), core.get(i)) else {
            let (who, (at, text)) = match kernel.get(i) {
                Some(packet) => ("kernel", packet),
                None => ("core", core.get(i)?),
            };
            // So near the end the other one may have been a moment too late.
            return (end - at > 150.0).then(|| format!("packet {i}: only {who} {at:.0} {text}"));
        };
        let slack = 25.0 + 0.13 * kernel.get(i.wrapping_sub(1)).map_or(*at, |(before, _)| at - before);
        if text != core_text || (at - core_at).abs() > slack {
            return Some(format!(
                "packet {i}: kernel {at:.0} {text}\n         core   {core_at:.0} {core_text}"
            ));
        }
    }
    None
}

fn one(seed: u64, home: &Path) -> Option<String> {
    let path = home.join(format!("{seed}.pkt"));
    let text = script(seed);
    std::fs::write(&path, &text).ok()?;
    let record =
        |against| record_file(&path, &Options::new(Vec::new(), against)).map_err(|error| error.to_string());
    let core = match record(Against::Core) {
        Ok(record) => record,
        Err(error) => return Some(format!("seed {seed}: core: {error}")),
    };
    let mut found = None;
    // The kernel runs in real time: only what it says twice counts.
    for _ in 0..2 {
        let kernel = record(Against::Kernel).ok()?;
        let difference = differ(&lines(&kernel), &lines(&core))?;
        match &found {
            None => found = Some((difference, kernel)),
            Some((before, _)) if before.lines().next() != difference.lines().next() => return None,
            Some(_) => {}
        }
    }
    let (difference, kernel) = found?;
    Some(format!("seed {seed}: {difference}\n--- kernel\n{kernel}--- core\n{core}"))
}

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let first = arguments.first().copied().unwrap_or(1);
    let count = arguments.get(1).copied().unwrap_or(20);
    let jobs = arguments.get(2).copied().unwrap_or(4);
    let home: PathBuf = std::env::temp_dir().join(format!("differ-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a temporary directory");
    let next = AtomicU64::new(first);
    let different = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    if let Some(report) = one(seed, &home) {
                        different.fetch_add(1, Ordering::Relaxed);
                        println!("{report}\n");
                    }
                }
            });
        }
    });
    let _ = std::fs::remove_dir_all(&home);
    println!("{} of {count} seeds from {first} on differ", different.load(Ordering::Relaxed));
}
