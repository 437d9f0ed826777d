use super::*;

fn run_on(sysctls: &mut Sysctls, arguments: &[&str]) -> Output {
    run(sysctls, arguments, &|_: &str| Err(std::io::ErrorKind::NotFound.into()))
}

#[test]
fn reads_and_writes() {
    let mut sysctls = Sysctls::default();
    let output = run_on(&mut sysctls, &["-q", "net.ipv4.tcp_rmem=4096 5000 6000", "net/ipv4/tcp_dsack=0"]);
    assert_eq!(output, Output::default());
    assert_eq!((sysctls.tcp_rmem, sysctls.tcp_dsack), ([4096, 5000, 6000], 0));
    let output = run_on(&mut sysctls, &["net.ipv4.tcp_rmem", "net.ipv4.tcp_dsack"]);
    assert_eq!(output.stdout, "net.ipv4.tcp_rmem = 4096\t5000\t6000\nnet.ipv4.tcp_dsack = 0\n");
    assert_eq!(run_on(&mut sysctls, &["-b", "net.ipv4.tcp_dsack"]).stdout, "0");
    assert_eq!(run_on(&mut sysctls, &["-N", "net.ipv4.tcp_dsack"]).stdout, "net.ipv4.tcp_dsack\n");
    assert!(run_on(&mut sysctls, &["-a"]).stdout.contains("\nnet.ipv4.tcp_rmem = 4096\t5000\t6000\n"));
}

/// Q-34: a wrong name or value is told, and the others are done.
#[test]
fn errors_are_told_and_do_not_stop() {
    let mut sysctls = Sysctls::default();
    let output = run_on(&mut sysctls, &["net.ipv4.nosuch=1", "net.ipv4.tcp_sack=300", "net.ipv4.tcp_sack=0"]);
    assert_eq!((output.status, sysctls.tcp_sack), (2, 0), "the status counts them");
    assert_eq!(
        output.stderr,
        "sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory\n\
         sysctl: setting key \"net.ipv4.tcp_sack\": Invalid argument\n"
    );
    let [Problem::Unsupported(name), Problem::Refused(why)] = output.problems.as_slice() else {
        panic!("{:?}", output.problems)
    };
    assert_eq!(name, "the setting `net.ipv4.nosuch`");
    assert!(why.contains("`300` is out of range (0 to 255 is allowed)"), "{why}");
    assert_eq!(run_on(&mut sysctls, &["-e", "net.ipv4.nosuch=1"]), Output::default());
    for (wrong, status) in [
        (&["tcp_sack"][..], 1),
        (&["net.ipv4.tcp_sack="], 1),
        (&["-w", "net.ipv4.tcp_sack", "=", "1"], 3),
        (&["a", "b", "net.ipv4.tcp_sack"], 2),
        (&["net.ipv4/tcp_sack"], 1),
        (&[], 1),
        (&["-q"], 1),
        (&["-z"], 1),
        (&["--nosuch"], 1),
        (&["--pattern"], 1),
        (&["--quiet=1"], 1),
        (&["-r", "("], 1),
    ] {
        assert_eq!(run_on(&mut sysctls, wrong).status, status, "{wrong:?}");
    }
}

/// Q-09, Q-60: Windows' names and units.
#[test]
fn windows_names_are_known() {
    let mut sysctls = Sysctls::default();
    let path = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\KeepAliveInterval";
    let output = run_on(&mut sysctls, &["KeepAliveTime=120000", &format!("{path}=30"), path]);
    assert_eq!(output.stdout, format!("KeepAliveTime = 120000\n{path} = 30\n{path} = 1000\n"));
    assert!(output.stderr.contains("30 milliseconds are rounded up to 1 s"), "{}", output.stderr);
    assert_eq!((output.status, sysctls.tcp_keepalive_time, sysctls.tcp_keepalive_intvl), (0, 120, 1));
    let output = run_on(&mut sysctls, &["congestionprovider=none", "congestionprovider=fast"]);
    assert_eq!((output.status, sysctls.tcp_congestion_control.as_str()), (1, "reno"));
    let [Problem::Refused(why)] = output.problems.as_slice() else { panic!("{:?}", output.problems) };
    assert_eq!(why, "congestionprovider: `fast` is not a provider: ctcp or none");
}

/// Q-33, Q-34: the file of the recipe against TIME-WAIT, with its comments and blanks, is taken whole.
#[test]
fn the_recipe_is_taken_whole() {
    const RECIPE: &str = "\t # Disminuir tiempo TIME_WAIT segundos \n\t net.ipv4.tcp_fin_timeout = 30\n\n\
        \t # Activar Reciclar y reusar TIME_WAIT\n\t net.ipv4.tcp_tw_recycle = 1\n\t net.ipv4.tcp_tw_reuse = 1\n\
        \t # Disminuir el KeepAlive\n\t net.ipv4.tcp_keepalive_time = 120\n\
        \t net.ipv4.tcp_keepalive_intvl = 30\n\t net.ipv4.tcp_keepalive_probes = 3\n";
    let mut sysctls = Sysctls::default();
    let output = run(&mut sysctls, &["-p", "/etc/sysctl.conf"], &|_: &str| Ok(RECIPE.to_owned()));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let told = "net.ipv4.tcp_fin_timeout = 30\nnet.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_tw_reuse = 1\n\
        net.ipv4.tcp_keepalive_time = 120\nnet.ipv4.tcp_keepalive_intvl = 30\nnet.ipv4.tcp_keepalive_probes = 3\n";
    assert_eq!(output.stdout, told);
    let read = ["-n", "net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_tw_recycle", "net.ipv4.tcp_tw_reuse"];
    assert_eq!(run_on(&mut sysctls, &read).stdout, "30\n1\n1\n");
}

/// Q-33: a file of settings, with comments and lines that may fail.
#[test]
fn files_are_loaded() {
    let mut sysctls = Sysctls::default();
    let text = "# a comment\n; another\nnet.ipv4.tcp_sack = 0\n-net.ipv4.nosuch = 1\n\
                net/ipv4/tcp_rmem=4096\t5000 6000\ngarbage\n";
    let read = |path: &str| match path {
        "/etc/sysctl.conf" => Ok(text.to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let output = run(&mut sysctls, &["-p"], &read);
    assert_eq!(output.stderr, "sysctl: /etc/sysctl.conf(6): invalid syntax, continuing...\n");
    assert_eq!(output.stdout, "net.ipv4.tcp_sack = 0\nnet.ipv4.tcp_rmem = 4096\t5000 6000\n");
    assert_eq!((sysctls.tcp_sack, sysctls.tcp_rmem), (0, [4096, 5000, 6000]));
    let output = run(&mut sysctls, &["-qp", "/nosuch"], &read);
    assert_eq!(output.stderr, "sysctl: cannot open \"/nosuch\": No such file or directory\n");
}

/// Flags in one word, shortened, behind names, and with what they take attached or not.
#[test]
fn flags_are_read_as_getopt_reads_them() {
    let mut sysctls = Sysctls::default();
    let read = |path: &str| match path {
        "f" | "-" => Ok("net.ipv4.tcp_sack = 0\nnet.ipv4.nosuch = 1\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let unknown = "sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory\n";
    for (words, status, stdout, stderr) in [
        ("-p f", 1, "net.ipv4.tcp_sack = 0\n", unknown),
        ("-qp f", 1, "", unknown),
        ("-qpf", 1, "", unknown),
        ("-ep f", 0, "net.ipv4.tcp_sack = 0\n", ""),
        ("-enp -", 0, "0\n", ""),
        ("-e --load=f -", 0, "net.ipv4.tcp_sack = 0\nnet.ipv4.tcp_sack = 0\n", ""),
        ("--ign --load f", 0, "net.ipv4.tcp_sack = 0\n", ""),
        ("-r dsack -p f", 0, "", ""),
        ("-nw net.ipv4.tcp_sack=1", 0, "1\n", ""),
        ("-N net.ipv4.tcp_sack=1", 0, "1\n", ""),
        ("net.ipv4.tcp_sack -n", 0, "1\n", ""),
        ("-bN net.ipv4.tcp_sack", 0, "net.ipv4.tcp_sack", ""),
        ("-q net.ipv4.tcp_sack net.ipv4.tcp_sack=1", 0, "net.ipv4.tcp_sack = 1\n", ""),
        ("--dry-run -w net.ipv4.tcp_sack=0", 0, "net.ipv4.tcp_sack = 0\n", ""),
        ("-nr ^net.ipv4.tcp_sack$ net.ipv4.tcp_sack net.ipv4.tcp_dsack", 0, "1\n", ""),
        ("-r dsack net.ipv4.tcp_sack=0", 1, "", ""),
        ("-aN --pattern=_sack$", 0, "net.ipv4.tcp_sack\n", ""),
        ("-An -r tcp_sack", 0, "1\n", ""),
        ("--all -r tcp_sack -p f", 0, "net.ipv4.tcp_sack = 1\n", ""),
        ("-- net/ipv4/tcp_sack", 0, "net.ipv4.tcp_sack = 1\n", ""),
    ] {
        let output = run(&mut sysctls, &words.split(' ').collect::<Vec<_>>(), &read);
        assert_eq!(
            (output.status, output.stdout.as_str(), output.stderr.as_str()),
            (status, stdout, stderr),
            "{words}"
        );
    }
    assert!(run_on(&mut sysctls, &["-h"]).stdout.contains("--system"));
    assert!(run_on(&mut sysctls, &["-V"]).stdout.starts_with("sysctl of cauce "));
}

/// A directory stands for all below it.
#[test]
fn a_prefix_lists_the_subtree() {
    let mut sysctls = Sysctls::default();
    let all = run_on(&mut sysctls, &["-aN"]).stdout;
    let below = |prefix: &str| {
        let names: Vec<&str> = all.lines().filter(|name| name.starts_with(prefix)).collect();
        names.join("\n") + "\n"
    };
    assert_eq!(run_on(&mut sysctls, &["-N", "net.ipv4"]).stdout, below("net.ipv4."));
    assert_eq!(run_on(&mut sysctls, &["-N", "net/core/"]).stdout, below("net.core."));
    assert_eq!(run_on(&mut sysctls, &["-N", "net"]).stdout, below("net."));
    assert_eq!(run_on(&mut sysctls, &["net.ipv4.tcp_"]).status, 1);
    let refused = run_on(&mut sysctls, &["net.ipv4=1"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
}

/// sysctl.d(5): patterns set what no line names outright, and `-NAME` is out of their reach.
#[test]
fn patterns_in_files() {
    for (text, shown) in [
        ("net.ipv4.tcp_sac* = 0", "net.ipv4.tcp_sack = 0\n"),
        ("net/*/tcp_sac[kl]=0", "net.ipv4.tcp_sack = 0\n"),
        ("net.ipv4.tcp_sac*=0\nnet.ipv4.tcp_sack=1", "net.ipv4.tcp_sack = 1\n"),
        ("net.ipv4.tcp_sack=1\nnet.ipv4.tcp_sac*=0", "net.ipv4.tcp_sack = 1\n"),
        ("-net.ipv4.tcp_sack\nnet.ipv4.tcp_sac*=0", ""),
        ("net.*sack=0\nnet.ipv4.nosuch*=1", ""),
        ("  -net.ipv4.tcp_sack = 300", ""),
    ] {
        let mut sysctls = Sysctls::default();
        let output = run(&mut sysctls, &["-p"], &|_: &str| Ok(text.to_owned()));
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, shown, ""), "{text}");
    }
}

/// `--system` reads what a host reads when it starts, in its order, and does not mind names that are not there.
#[test]
fn the_files_of_the_system() {
    let text = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = BTreeMap::from([
        text("/etc/sysctl.d/20-b.conf", "net.ipv4.tcp_sack=0\n"),
        text("/run/sysctl.d/10-a.conf", "net.ipv4.tcp_sack=1\nnet.ipv4.nosuch=1\n"),
        text("/run/sysctl.d/20-b.conf", "net.ipv4.tcp_dsack=1\n"),
        text("/usr/lib/sysctl.d/99-z.conf", "net.ipv4.tcp_dsack=0\n"),
        text("/usr/lib/sysctl.d/99-z.other", "net.ipv4.tcp_dsack=1\n"),
        text("/etc/sysctl.conf", "net.ipv4.tcp_syncookies=2\n"),
    ]);
    let mut sysctls = Sysctls::default();
    let output = run(&mut sysctls, &["--system"], &files);
    let applying = |path: &str| format!("* Applying {path} ...\n");
    let progress = [
        "/run/sysctl.d/10-a.conf",
        "/etc/sysctl.d/20-b.conf",
        "/usr/lib/sysctl.d/99-z.conf",
        "/etc/sysctl.conf",
    ];
    let settings =
        "net.ipv4.tcp_sack = 1\nnet.ipv4.tcp_sack = 0\nnet.ipv4.tcp_dsack = 0\nnet.ipv4.tcp_syncookies = 2\n";
    assert_eq!(output.stdout, progress.map(applying).concat() + settings);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert_eq!(run(&mut sysctls, &["-q", "--system"], &files), Output::default());
}

/// Q-39: the document's slip of the pen is no file, and the tool says which one was meant.
#[test]
fn the_right_name_is_suggested() {
    let output = run_on(&mut Sysctls::default(), &["-p", "/etc/systcl.conf"]);
    assert_eq!(output.status, 1);
    assert_eq!(
        output.stderr,
        "sysctl: cannot open \"/etc/systcl.conf\": No such file or directory\n\
         sysctl: did you mean \"/etc/sysctl.conf\"?\n"
    );
}

/// S-49, X-01: the old form of recycling is what it was, and whoever turns it on is warned.
#[test]
fn the_old_form_of_recycling_is_warned_of() {
    let mut sysctls = Sysctls::default();
    let safe = run_on(&mut sysctls, &["-q", "net.ipv4.tcp_tw_recycle=1"]);
    assert_eq!(safe, Output::default());
    let old = run_on(&mut sysctls, &["-q", "net.ipv4.tcp_tw_recycle=2"]);
    assert_eq!((old.status, sysctls.tcp_tw_recycle), (0, 2));
    assert!(old.stderr.starts_with("sysctl: warning: net.ipv4.tcp_tw_recycle = 2 "), "{}", old.stderr);
    assert_eq!(run_on(&mut sysctls, &["net.ipv4.tcp_sack=1"]).stderr, "");
}
