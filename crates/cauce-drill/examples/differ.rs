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

/// A connection in the making of its script: what both sides have said so far.
struct Play {
    random: Random,
    text: String,
    fd: u32,
    sack: bool,
    timestamps: bool,
    window: u64,
    written: u64,
    acked: u64,
    received: u64,
    peer_clock: u64,
    over: bool,
}

impl Play {
    /// The handshake: passive or active, with the options and buffers that chance picks.
    fn open(seed: u64) -> Play {
        let mut random = Random(seed);
        let (sack, timestamps) = (random.below(4) > 0, random.below(3) == 0);
        let scale = random.one_of(&[0, 2, 7, 7, 7]);
        let window = if scale == 0 { 32_792 } else { 32_896 >> scale };
        let mut play = Play {
            random,
            text: String::new(),
            fd: 4,
            sack,
            timestamps,
            window,
            written: 1,
            acked: 1,
            received: 1,
            peer_clock: 1000,
            over: false,
        };
        let mss = play.random.one_of(&[1000, 1000, 1000, 536, 1460]);
        if play.random.below(3) == 0 {
            play.line("`sysctl -q net.ipv4.tcp_early_retrans=0`");
        }
        let mut options = vec![format!("mss {mss}")];
        options.extend(sack.then(|| "sackOK".to_owned()));
        options.extend(timestamps.then(|| "TS val 1000 ecr 0".to_owned()));
        options.extend((scale > 0).then(|| format!("nop,wscale {scale}")));
        let options = options.join(",");
        let rtt = play.random.one_of(&[23, 51, 103]);
        play.line("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3");
        let buffer = play.random.one_of(&[4000, 10_000, 30_000]);
        match play.random.below(6) {
            0 => play.line(&format!("+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [{buffer}], 4) = 0")),
            1 => play.line(&format!("+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [{buffer}], 4) = 0")),
            _ => {}
        }
        if play.random.below(4) == 0 {
            play.fd = 3;
            play.line("+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0");
            play.line("+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)");
            play.line("+0 > S 0:0(0) <...>");
            let options = options.replace("ecr 0", "ecr 100");
            play.line(&format!("+.{rtt:03} < S. 0:0(0) ack 1 win 32792 <{options}>"));
        } else {
            play.line("+0 bind(3, ..., ...) = 0");
            play.line("+0 listen(3, 1) = 0");
            play.line(&format!("+0 < S 0:0(0) win 32792 <{options}>"));
            play.line("+0 > S. 0:0(0) ack 1 <...>");
            play.packet(&format!("+.{rtt:03}"), ".", 1, 0, 1, window, &[]);
            play.line("+0 accept(3, ..., ...) = 4");
            play.line("+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0");
        }
        play
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A packet of the peer.
    #[expect(clippy::too_many_arguments, reason = "that is what a packet says")]
    fn packet(
        &mut self,
        gap: &str,
        flags: &str,
        seq: u64,
        len: u64,
        ack: u64,
        window: u64,
        blocks: &[String],
    ) {
        let mut options = Vec::new();
        if self.timestamps && !flags.contains('R') {
            self.peer_clock += 10;
            options.push(format!("nop,nop,TS val {} ecr 100", self.peer_clock));
        }
        if !blocks.is_empty() {
            options.push(format!("nop,nop,sack {}", blocks.join(" ")));
        }
        let options = if options.is_empty() { String::new() } else { format!(" <{}>", options.join(",")) };
        let end = seq + len;
        self.line(&format!("{gap} < {flags} {seq}:{end}({len}) ack {ack} win {window}{options}"));
    }

    fn acknowledge(&mut self, gap: &str) {
        let most = (self.written - self.acked).min(12_000);
        let ack = match self.random.below(5) {
            0 => self.acked,
            1 => self.acked + most,
            _ => self.acked + self.random.below(most / 1000 + 1) * 1000,
        }
        .min(self.written);
        let mut blocks = Vec::new();
        if self.sack && ack < self.written && self.random.below(2) == 0 {
            let mut at = ack;
            for _ in 0..1 + self.random.below(2) {
                at += 1000 * (1 + self.random.below(2));
                let end = at + 1000 * (1 + self.random.below(3));
                if end <= self.written && end <= self.acked + 10_000 {
                    blocks.insert(0, format!("{at}:{end}"));
                    at = end;
                }
            }
        }
        let scarce = self.window / 25;
        let window = if self.random.below(10) == 0 {
            self.random.one_of(&[0, scarce, 2 * scarce])
        } else {
            self.window
        };
        let received = self.received;
        self.packet(gap, ".", received, 0, ack, window, &blocks);
        self.acked = ack;
    }

    /// Data of the peer: in order, beyond a hole, partly or wholly old, or more than a segment at once.
    fn data(&mut self, gap: &str) {
        let len = self.random.one_of(&[1, 100, 100, 1000, 1000, 1000, 1400, 5000]);
        let from = match self.random.below(8) {
            0 => self.received + 1000,
            1 => self.received + 3000,
            2 => self.received.saturating_sub(500).max(1),
            _ => self.received,
        };
        let (acked, window) = (self.acked, self.window);
        self.packet(gap, "P.", from, len, acked, window, &[]);
        if from <= self.received {
            self.received = self.received.max(from + len);
        }
    }

    fn option(&mut self, gap: &str) {
        let fd = self.fd;
        let line = match self.random.below(7) {
            0 => format!("setsockopt({fd}, SOL_TCP, TCP_NODELAY, [1], 4) = 0"),
            1 => format!("setsockopt({fd}, SOL_TCP, TCP_NODELAY, [0], 4) = 0"),
            2 => format!("setsockopt({fd}, SOL_TCP, TCP_CORK, [1], 4) = 0"),
            3 => format!("setsockopt({fd}, SOL_TCP, TCP_CORK, [0], 4) = 0"),
            4 => format!("setsockopt({fd}, SOL_TCP, TCP_QUICKACK, [1], 4) = 0"),
            5 => format!("setsockopt({fd}, SOL_SOCKET, SO_RCVBUF, [20000], 4) = 0"),
            _ => format!("setsockopt({fd}, SOL_TCP, TCP_NOTSENT_LOWAT, [6000], 4) = 0"),
        };
        self.line(&format!("{gap} {line}"));
    }

    /// The ends of connections, and what only looks like one.
    fn ending(&mut self, gap: &str) {
        let (fd, received, acked, window) = (self.fd, self.received, self.acked, self.window);
        match self.random.below(8) {
            0 => self.line(&format!("{gap} shutdown({fd}, SHUT_WR) = ?")),
            1 => {
                self.packet(gap, "F.", received, 0, acked, window, &[]);
                self.received += 1;
                // Its ACK leaves by a timer of no length, which is a tick of the kernel's clock.
                self.line("+.02 %{ pass }%");
            }
            2 => {
                self.packet(gap, "R.", received, 0, acked, 0, &[]);
                self.over = true;
            }
            3 => self.packet(gap, "R", received + 5, 0, acked, 0, &[]),
            4 => self.packet(gap, "S", received, 0, acked, window, &[]),
            5 => {
                self.line(&format!("{gap} close({fd}) = 0"));
                self.over = true;
            }
            6 => {
                let end = self.written;
                if self.acked < end && !self.timestamps {
                    let len = (end - acked).min(1000);
                    let stop = acked + len;
                    self.line(&format!("{gap} < icmp unreachable host_unreachable [{acked}:{stop}({len})]"));
                }
            }
            _ => self.line("+1.2 %{ pass }%"),
        }
    }

    fn step(&mut self) {
        let gap = self.random.one_of(&[1, 3, 3, 7, 21, 21, 67, 67, 151, 453]);
        let gap = format!("+.{gap:03}");
        match self.random.below(28) {
            0..=6 => {
                let len = self.random.one_of(&[1, 100, 700, 1000, 1500, 2000, 3500, 5000, 10_000, 12_000]);
                let fd = self.fd;
                self.line(&format!("{gap} write({fd}, ..., {len}) = ?"));
                self.written += len;
            }
            7..=16 => self.acknowledge(&gap),
            17..=21 => self.data(&gap),
            22..=23 => {
                let fd = self.fd;
                self.line(&format!("{gap} read({fd}, ..., 5000) = ?"));
            }
            24..=25 => self.option(&gap),
            _ => self.ending(&gap),
        }
    }
}

/// A script of a connection whose peer does odd things.
fn script(seed: u64) -> String {
    let mut play = Play::open(seed);
    for _ in 0..6 + play.random.below(16) {
        if play.over {
            break;
        }
        play.step();
    }
    play.line("+.9 %{ pass }%");
    play.text
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
        // Our clock shows when a packet left, which is compared with more patience.
        if let (true, Some(value)) = (text.starts_with('>'), words.iter().position(|word| *word == "val")) {
            words.remove(value + 1);
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
