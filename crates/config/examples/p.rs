use bartizan_config::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "schema" {
        println!("{}", serde_json::to_string_pretty(&schema()).unwrap());
        return;
    }
    let t = std::fs::read_to_string(&a[1]).unwrap();
    for doc in t.split("=====\n") {
        println!("-----\n{doc}");
        match Config::parse(
            doc,
            &Source::text("/tmp/cfg").with_environment(
                [("X", "some-env-value-that-is-long"), ("S", "0123456789012345678901234567890123456789")]
                    .into_iter()
                    .collect(),
            ),
        ) {
            Ok(l) => {
                println!("OK {} warnings", l.warnings.len());
                for w in l.warnings {
                    println!("{w}")
                }
            }
            Err(e) => println!("{e}"),
        }
    }
}
