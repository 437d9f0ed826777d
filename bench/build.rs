//! Compiles lwIP beside our driver of it, where its source is at hand; says so loudly where it is not.
//!
//! The source is that of the crate `lwip`, which `bench/fetch-lwip.sh` brings into cargo's registry. The crate
//! itself is no dependency, because building it needs libclang.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The crate whose source is taken: lwIP 2.2.1.
const CRATE: &str = "lwip-0.4.0";
const DRIVER: &str = "src/peers/lwip";
const CORE: [&str; 14] = [
    "init",
    "def",
    "inet_chksum",
    "ip",
    "mem",
    "memp",
    "netif",
    "pbuf",
    "tcp",
    "tcp_in",
    "tcp_out",
    "timeouts",
    "ipv4/ip4",
    "ipv4/ip4_addr",
];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(lwip)");
    println!("cargo::rerun-if-env-changed=LWIP_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DRIVER}");
    match source().ok_or("its source is not there: run bench/fetch-lwip.sh".to_owned()).and_then(compile) {
        Ok(()) => println!("cargo::rustc-cfg=lwip"),
        Err(why) => println!("cargo::warning=lwIP is left out of the measurements, {why}"),
    }
}

/// The directory `src` of lwIP: under `LWIP_DIR`, or in cargo's registry.
fn source() -> Option<PathBuf> {
    if let Some(given) = env::var_os("LWIP_DIR") {
        return Some(Path::new(&given).join("src"));
    }
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    let mut crates = registries.filter_map(|entry| Some(entry.ok()?.path().join(CRATE).join("src")));
    crates.find(|path| path.is_dir())
}

fn compile(source: PathBuf) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", source.display());
    let mut build = cc::Build::new();
    build.include(DRIVER).include(source.join("include")).warnings(false).opt_level(3);
    build.file(Path::new(DRIVER).join("driver.c"));
    build.files(CORE.iter().map(|name| source.join("core").join(name).with_extension("c")));
    build.try_compile("bench_lwip").map_err(|error| error.to_string())
}
