//! `ethtool` over the device of a script: the offloads of a TUN.
//!
//! They can be switched, and are shown as they were switched. TCP does not change with them: since 4.17 Linux builds
//! super-segments whatever the device says and cuts them before they reach a device that takes none, so what
//! leaves a TUN is the same either way.

use cauce_posix::tools::Output;

/// What can be switched, under its long and its short name, and how it stands on a fresh TUN.
const FEATURES: [(&str, &[&str], bool); 8] = [
    ("tx-checksumming", &["tx", "tx-checksum-ip-generic"], false),
    ("scatter-gather", &["sg", "tx-scatter-gather"], true),
    ("tcp-segmentation-offload", &["tso", "tx-tcp-segmentation"], false),
    ("generic-segmentation-offload", &["gso", "tx-generic-segmentation"], true),
    ("generic-receive-offload", &["gro", "rx-gro"], true),
    ("rx-checksumming", &["rx", "rx-checksum"], false),
    ("large-receive-offload", &["lro", "rx-lro"], false),
    ("receive-hashing", &["rxhash", "rx-hashing"], false),
];

/// Features that a TUN without offloads of its own cannot switch on, or not at all.
const FIXED: [&str; 5] = [
    "tx-checksumming",
    "tcp-segmentation-offload",
    "rx-checksumming",
    "large-receive-offload",
    "receive-hashing",
];

/// How the offloads stand.
#[derive(Debug, Clone)]
pub(super) struct Offloads {
    on: [bool; FEATURES.len()],
}

impl Default for Offloads {
    fn default() -> Offloads {
        Offloads { on: FEATURES.map(|(_, _, on)| on) }
    }
}

impl Offloads {
    /// `ethtool -k DEVICE` and `ethtool -K DEVICE FEATURE on|off…`.
    pub fn ethtool(&mut self, device: &str, arguments: &[&str]) -> Output {
        let (name, pairs) = match arguments {
            ["-k" | "--show-features" | "--show-offload", name] => (*name, None),
            ["-K" | "--features" | "--offload", name, pairs @ ..] if !pairs.is_empty() => {
                (*name, Some(pairs))
            }
            _ => return Output::unsupported(format!("ethtool {}", arguments.join(" "))),
        };
        if name != device {
            return Output::failed(
                92,
                "netlink error: no device matches name\nnetlink error: No such device",
            );
        }
        match pairs {
            None => Output::text(self.shown(device)),
            Some(pairs) => self.switch(pairs),
        }
    }

    fn switch(&mut self, pairs: &[&str]) -> Output {
        let mut wanted = self.on;
        for pair in pairs.chunks(2) {
            let [name, switch @ ("on" | "off")] = pair else {
                return Output::failed(
                    1,
                    format!("ethtool: bad command line argument(s): {}", pair.join(" ")),
                );
            };
            let found = FEATURES.iter().position(|(long, short, _)| long == name || short.contains(name));
            let Some(index) = found else {
                return Output::failed(
                    92,
                    "netlink error: bit name not found\nnetlink error: Operation not supported",
                );
            };
            if *switch == "on" && FIXED.contains(&FEATURES[index].0) {
                return Output::failed(1, "Could not change any device features");
            }
            wanted[index] = *switch == "on";
        }
        self.on = wanted;
        Output::default()
    }

    fn shown(&self, device: &str) -> String {
        let lines = FEATURES.iter().zip(self.on).map(|((name, ..), on)| {
            let fixed = if FIXED.contains(name) { " [fixed]" } else { "" };
            format!("{name}: {}{fixed}\n", if on { "on" } else { "off" })
        });
        format!("Features for {device}:\n{}", lines.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_stay_as_they_were_put() {
        let mut offloads = Offloads::default();
        let mut ask = |line: &str| offloads.ethtool("tun0", &line.split(' ').collect::<Vec<_>>());
        assert_eq!(ask("-K tun0 tso off gso off").status, 0);
        assert!(ask("-k tun0").stdout.contains("\ngeneric-segmentation-offload: off\n"));
        assert_eq!(ask("-K tun0 gso on").status, 0);
        assert!(ask("-k tun0").stdout.contains("\ngeneric-segmentation-offload: on\n"));
        assert_eq!(ask("-K tun0 tso on").status, 1, "a TUN has none of its own");
        assert_eq!((ask("-K tun9 tso off").status, ask("-K tun0 frob off").status), (92, 92));
        assert_eq!(ask("-K tun0 tso").status, 1);
        assert_eq!(ask("tun0").problems.len(), 1);
    }
}
