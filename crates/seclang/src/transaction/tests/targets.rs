//! The request's target: its path in every form, and all of its parameters.

use super::{begin, get};

#[test]
fn a_path_is_a_path_in_every_form_of_the_target() {
    for target in ["/admin/a?b=/c", "http://shop.test/admin/a?b=/c", "http://shop.test:80/%61dmin/a"] {
        let mut transaction = begin("SecRule REQUEST_FILENAME \"@beginsWith /admin/\" \"id:1,phase:1,deny\"");
        get(target).head(&mut transaction);
        assert!(transaction.interruption().is_some(), "{target}");
        assert_eq!(transaction.variable("REQUEST_BASENAME").as_deref(), Some(&b"a"[..]), "{target}");
    }
}

#[test]
fn no_parameter_goes_uncounted_behind_many() {
    let mut transaction = begin(
        "SecArgumentsLimit 10000\n\
         SecRule ARGS_NAMES \"@rx .\" \"id:1,phase:1,pass,nolog,setvar:'TX.count_%{MATCHED_VAR}=+1'\"\n\
         SecRule TX:/^count_/ \"@gt 1\" \"id:2,phase:1,deny\"",
    );
    let mut names: Vec<String> = (0..9000_u16).map(|number| number.to_string()).collect();
    names.extend(["twice".into(), "twice".into()]);
    get(&format!("/?{}", names.join("&"))).head(&mut transaction);
    assert!(transaction.interruption().is_some());
}
