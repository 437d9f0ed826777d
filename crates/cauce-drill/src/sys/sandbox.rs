//! A process in namespaces of its own, for the commands of scripts: mounts, network, and without privilege users.
//!
//! In it a private tmpfs lies over `/proc/sys/net`, `/proc/net` is a directory in that tmpfs, files in it stand
//! before the tools that would reach the host, and for root the rest of `/proc` and `/sys` cannot be written.
//! Nothing of this is seen outside, and all of it is gone with the last process inside. What the files hold is not
//! decided here.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::last_errno;
use super::namespace::is_root;

/// Where the tmpfs lies.
pub(crate) const ROOT: &CStr = c"/proc/sys/net";
/// The directory in it that is the sandbox's own.
pub(crate) const OWN: &str = ".cauce";
/// The directory in that one that `/proc/net` is.
pub(crate) const NET: &str = "net";
/// FIFOs in the sandbox's own directory: requests of tools, the answers, and what background processes hold open.
pub(crate) const FIFOS: [&str; 3] = ["ask", "answer", "alive"];

/// What is done on the way, each step with its name in messages.
#[derive(Debug, Clone, Copy)]
enum Step {
    Namespaces,
    Users,
    Private,
    Protect,
    Settings,
    Files,
    Tools,
    Net,
}

impl Step {
    const ALL: [(Step, &'static str); 8] = [
        (Step::Namespaces, "namespaces of its own (unshare)"),
        (Step::Users, "its user to be mapped into its user namespace"),
        (Step::Private, "private mounts"),
        (Step::Protect, "/proc and /sys that cannot be written"),
        (Step::Settings, "a tmpfs over /proc/sys/net"),
        (Step::Files, "files in the tmpfs over /proc/sys/net"),
        (Step::Tools, "its tools mounted over the host's"),
        (Step::Net, "a directory mounted over /proc/net (Linux 5.2 or later)"),
    ];
}

/// Why there is no sandbox.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What the sandbox needs.
    pub needs: &'static str,
    /// What the system said to that.
    pub error: io::Error,
}

/// The error of the last system call and the step that it belongs to, in the one number that comes through from
/// the child: error numbers are far below 2^16.
fn refused(step: Step) -> io::Error {
    io::Error::from_raw_os_error((step as i32 + 1) << 16 | last_errno())
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        let code = error.raw_os_error().unwrap_or(0);
        let step = usize::try_from((code >> 16) - 1).ok().and_then(|at| Step::ALL.get(at));
        match step {
            Some((_, needs)) => Refused { needs, error: io::Error::from_raw_os_error(code & 0xffff) },
            None => Refused { needs: "a shell to start", error },
        }
    }
}

/// Starts `/bin/sh -c text` in a sandbox. Its input and output are pipes; it leads a process group. `tools` names
/// the programs that stand before the host's, in `PATH` and at their own places.
///
/// # Errors
/// The step that the system forbids.
pub(crate) fn spawn(text: &str, tools: &[&str]) -> Result<Child, Refused> {
    let plan = Plan::new(tools)?;
    let own_tools = format!("{}/{OWN}/bin", ROOT.to_string_lossy());
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let mut search = OsStr::new(&own_tools).to_owned();
    search.push(":");
    search.push(path);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).env("PATH", search).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and exec the closure makes system calls only. Every string that they take was made
    // before; it allocates nothing, takes no lock, and returns errors that hold a number.
    unsafe { command.pre_exec(move || plan.carry_out()) };
    Ok(command.spawn()?)
}

/// Everything that the child needs, made while there is still an allocator to ask.
struct Plan {
    /// Contents of the maps of users and groups, for those without privilege.
    maps: Option<(CString, CString)>,
    directories: Vec<CString>,
    fifos: Vec<CString>,
    /// Programs in the sandbox.
    programs: Vec<CString>,
    /// The place of a program of the host, and the one to put there.
    covers: Vec<(CString, CString)>,
    link: CString,
    net: CString,
}

impl Plan {
    fn new(tools: &[&str]) -> io::Result<Plan> {
        let own = |name: &str| c_string(&format!("{}/{OWN}{name}", ROOT.to_string_lossy()));
        // SAFETY: geteuid and getegid take nothing and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let maps = match is_root() {
            true => None,
            false => Some((c_string(&format!("0 {uid} 1"))?, c_string(&format!("0 {gid} 1"))?)),
        };
        let mut covers = Vec::new();
        for tool in tools {
            for place in places(tool) {
                covers.push((CString::new(place.as_os_str().as_bytes())?, own(&format!("/bin/{tool}"))?));
            }
        }
        Ok(Plan {
            maps,
            directories: vec![own("")?, own("/bin")?, own(&format!("/{NET}"))?],
            fifos: FIFOS.iter().map(|name| own(&format!("/{name}"))).collect::<io::Result<_>>()?,
            programs: tools.iter().map(|tool| own(&format!("/bin/{tool}"))).collect::<io::Result<_>>()?,
            covers,
            link: own("/link")?,
            net: own(&format!("/{NET}"))?,
        })
    }

    /// Runs in the child, between fork and exec.
    fn carry_out(&self) -> io::Result<()> {
        let users = if self.maps.is_some() { libc::CLONE_NEWUSER } else { 0 };
        // SAFETY: unshare takes no pointers, and the child has a single thread.
        done(Step::Namespaces, unsafe { libc::unshare(users | libc::CLONE_NEWNS | libc::CLONE_NEWNET) })?;
        if let Some((uids, gids)) = &self.maps {
            write(c"/proc/self/setgroups", c"deny")?;
            write(c"/proc/self/uid_map", uids)?;
            write(c"/proc/self/gid_map", gids)?;
        }
        mount(Step::Private, None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
        if self.maps.is_none() {
            // Without privilege nobody could write there anyhow.
            protect(c"/proc")?;
            protect(c"/sys")?;
        }
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount(Step::Settings, None, ROOT, Some(c"tmpfs"), flags, Some(c"size=64m,mode=755"))?;
        self.make_files()?;
        for (place, program) in &self.covers {
            mount(Step::Tools, Some(program), place, None, libc::MS_BIND, None)?;
        }
        self.cover_net()
    }

    fn make_files(&self) -> io::Result<()> {
        for path in &self.directories {
            // SAFETY: a string that ends, alive during the call; so below.
            done(Step::Files, unsafe { libc::mkdir(path.as_ptr(), 0o755) })?;
        }
        for path in &self.fifos {
            // SAFETY: as above.
            done(Step::Files, unsafe { libc::mkfifo(path.as_ptr(), 0o600) })?;
        }
        for path in &self.programs {
            // SAFETY: as above.
            let file =
                unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC, 0o755) };
            done(Step::Files, file)?;
            // SAFETY: the descriptor was just opened here, and nobody else knows it.
            unsafe { libc::close(file) };
        }
        Ok(())
    }

    /// `/proc/net` is a link into the process's own directory. A mount takes the place of the link itself: another
    /// link, which leads to the same directory for every process.
    fn cover_net(&self) -> io::Result<()> {
        // SAFETY: strings that end, alive during the calls; the descriptor is used and then left to exec to close.
        unsafe {
            done(Step::Net, libc::symlink(self.net.as_ptr(), self.link.as_ptr()))?;
            let flags =
                libc::OPEN_TREE_CLONE as i32 | libc::OPEN_TREE_CLOEXEC as i32 | libc::AT_SYMLINK_NOFOLLOW;
            let tree = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, self.link.as_ptr(), flags);
            done(Step::Net, tree as i32)?;
            let moved = libc::syscall(
                libc::SYS_move_mount,
                tree,
                c"".as_ptr(),
                libc::AT_FDCWD,
                c"/proc/net".as_ptr(),
                libc::MOVE_MOUNT_F_EMPTY_PATH,
            );
            done(Step::Net, moved as i32)
        }
    }
}

/// Where the host keeps a program. A link under another name is not covered: what it leads to serves others too.
fn places(tool: &str) -> Vec<PathBuf> {
    let directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
    let mut places: Vec<PathBuf> = directories
        .iter()
        .filter_map(|directory| PathBuf::from(directory).join(tool).canonicalize().ok())
        .filter(|place| place.file_name() == Some(OsStr::new(tool)) && place.is_file())
        .collect();
    places.sort();
    places.dedup();
    places
}

fn c_string(text: &str) -> io::Result<CString> {
    Ok(CString::new(text)?)
}

fn done(step: Step, result: i32) -> io::Result<()> {
    if result < 0 { Err(refused(step)) } else { Ok(()) }
}

fn write(path: &CStr, text: &CStr) -> io::Result<()> {
    // SAFETY: a string that ends; then as many bytes as it has; then a descriptor that was opened here.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        done(Step::Users, file)?;
        let written = libc::write(file, text.as_ptr().cast(), text.count_bytes());
        done(Step::Users, written as i32)?;
        libc::close(file);
    }
    Ok(())
}

fn mount(
    step: Step,
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: every pointer is NULL or a string that ends and is alive during the call.
    let result = unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(options).cast())
    };
    done(step, result)
}

/// Lets nobody in this mount namespace write below `path`; the mounts' other flags stay. What is not there, or no
/// mount, needs none.
fn protect(path: &CStr) -> io::Result<()> {
    let wanted =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: a string that ends and one mount_attr with its size, alive during the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    match last_errno() {
        libc::EINVAL | libc::ENOENT if result < 0 => Ok(()),
        _ => done(Step::Protect, result as i32),
    }
}
