//! OSCAR's own description of a function as the configuration.

use std::fs;

use crate::harness::{Builder, bandog};

const FDL: &str = "functions:
  oscar:
  - cluster:
      name: greeter
      image: ghcr.io/example/greeter
      memory: 512Mi
      script: scripts/greet.sh
      log_level: critical
      environment:
        Variables: {GREETING: hello, SET: from the file}
storage_providers: {minio: {default: {secret_key: s3cr3t}}}
";

const GREET: &str = "echo \"$GREETING, $SET, $(cat \"$INPUT_FILE_PATH\")\"\n";

#[test]
fn a_function_is_served_as_its_fdl_file_describes_it() {
    let builder = Builder::new().env("SET", "from outside").file("greeter.yaml", FDL);
    let home = builder.workspace().parent().expect("a home").to_owned();
    fs::create_dir(home.join("scripts")).expect("a directory");
    fs::write(home.join("scripts/greet.sh"), GREET).expect("writable");
    // The script is where the file says, whatever the working directory is.
    let server = builder.arg_path("--config", &home.join("greeter.yaml")).start();
    let answer = server.post("you").to("/run/greeter").media("text/plain").send().expect(200);
    assert_eq!(answer.text(), "hello, from outside, you\n");
    server.post("you").to("/run/other").media("text/plain").send().problem(404);

    let inline = FDL.replace("scripts/greet.sh", "|\n        #!/bin/sh\n        echo \"inline $GREETING\"");
    let server = Builder::new().file("greeter.yaml", &inline).args(["--config", "greeter.yaml"]).start();
    assert_eq!(server.post("you").media("text/plain").send().expect(200).text(), "inline hello\n");
}

#[test]
fn check_says_what_is_used_of_a_configuration_file_and_what_is_not() {
    let check = |name: &str, text: &str, flags: &[&str]| {
        let command = bandog(&["check", "--config", name]).args(flags).with_workspace();
        fs::write(command.home().join(name), text).expect("writable");
        fs::create_dir(command.home().join("scripts")).expect("a directory");
        fs::write(command.home().join("scripts/greet.sh"), GREET).expect("writable");
        command.run()
    };
    let ran = check("greeter.yaml", FDL, &[]).expect(0);
    let has = |words: &[&str]| ran.text().lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["function ", "scripts/greet.sh", "key script of greeter.yaml"]), "{ran}");
    assert!(has(&["--service ", "greeter", "key name of greeter.yaml"]), "{ran}");
    assert!(has(&["--log-level ", "key log_level of greeter.yaml"]), "{ran}");
    assert!(has(&["warning: greeter.yaml: bandog does not use image, memory; OSCAR does"]), "{ran}");
    assert!(
        has(&["warning: greeter.yaml: line", "storage_providers.minio.default", "nothing is fetched or stored"]),
        "{ran}"
    );
    assert!(!ran.text().contains("s3cr3t"), "{ran}");

    let several = FDL.replace("storage_providers:", "  - cluster: {name: other, script: s}\nstorage_providers:");
    let ran = check("greeter.yaml", &several, &[]).expect(78);
    assert!(ran.text().contains("(greeter, other); choose one with --service NAME"), "{ran}");
    check("greeter.yaml", &several, &["--service", "greeter"]).expect(0);

    let absent = check("greeter.yaml", &FDL.replace("greet.sh", "grete.sh"), &[]).expect(78);
    assert!(absent.text().contains("scripts/grete.sh\" (from key script of greeter.yaml)"), "{absent}");

    let ran =
        check("function_config.yaml", "naem: ocr\nlog_levle: DEBUG\nimage: x\n", &["--script", "scripts/greet.sh"]);
    let ran = ran.expect(0);
    let warnings: Vec<&str> = ran.text().lines().filter(|line| line.starts_with("warning: ")).collect();
    let [name, level] = warnings[..] else { panic!("{ran}") };
    assert!(name.ends_with("function_config.yaml: unknown key \"naem\", ignored; did you mean name?"), "{ran}");
    assert!(level.ends_with("unknown key \"log_levle\", ignored; did you mean log_level?"), "{ran}");
}
