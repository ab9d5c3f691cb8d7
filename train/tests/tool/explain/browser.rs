//! A page in a browser: headless Chromium, where there is one.

use crate::desk::Desk;
use serde_json::{Value, json};
use std::fs::File;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the browser may be called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// How long a page may take; it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser, or `None`, with a line that says so; with `MUTUALFORMER_REQUIRE_CHROMIUM=1` there must be one.
pub fn browser() -> Option<&'static str> {
    let starts =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    let found = NAMES.iter().copied().find(|name| starts(name));
    if found.is_none() {
        let required = std::env::var("MUTUALFORMER_REQUIRE_CHROMIUM").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "MUTUALFORMER_REQUIRE_CHROMIUM=1, but there is no Chromium (apt install chromium)"
        );
        eprintln!("skipped: there is no Chromium to open the page in (apt install chromium)");
    }
    found
}

/// Opens a copy of the page `name` with `driver.js` in it, which does `actions` one after the other and reports what the
/// page shows at the beginning and after each.
pub fn drive(desk: &Desk, browser: &str, name: &str, actions: &[Value]) -> Value {
    let script =
        format!("<script>const ACTIONS = {};\n{}</script></body>", json!(actions), include_str!("driver.js"));
    let page = desk.text(name);
    let (before, after) = page.rsplit_once("</body>").expect("the page has a body");
    desk.write("driven.html", format!("{before}{script}{after}"));
    let mut child = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", desk.path("profile").display()))
        .arg(format!("file://{}", desk.path("driven.html").display()))
        .stdout(File::create(desk.path("dom.html")).unwrap())
        .stderr(File::create(desk.path("complaints")).unwrap())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the browser does not come back: {}", desk.text("complaints"));
        }
        sleep(Duration::from_millis(20));
    }
    let dom = desk.text("dom.html");
    let report = dom.split_once("<pre id=\"numbers\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((report, _)) = report else {
        panic!("the page did not get through the actions: {}", desk.text("complaints"))
    };
    serde_json::from_str(&report.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).unwrap()
}
