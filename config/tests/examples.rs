//! Every file under `examples/` is a configuration without mistakes, and the
//! embedded one is what a gateway without a configuration runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{
    Breaker, Config, Decisions, Failure, FailureKind, Glob, Grant, Limits, Match, Mode, OnStart,
    Overrides, PluginLimits, PluginSource, Reference, Secret, Selector, Who,
};
use s3::Operation;

#[test]
fn every_example_is_without_mistakes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if let Err(report) = Config::load(&path) {
            panic!("{report}");
        }
        examples += 1;
    }
    assert!(examples >= 5, "{examples} examples");
}

#[test]
fn every_example_fits_the_schema_for_editors() {
    let schema = jsonschema::validator_for(&config::schema()).unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let example: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let faults: Vec<String> = schema
            .iter_errors(&example)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    }
}

#[test]
fn the_embedded_configuration_is_six_drives_and_the_bundled_chain() {
    let config = Config::embedded(&Overrides::default()).unwrap();
    let [listener] = config.listeners.as_slice() else {
        panic!("{:?}", config.listeners);
    };
    assert_eq!(listener.address.to_string(), "127.0.0.1:9000");
    let admin = config.admin.as_ref().unwrap();
    assert_eq!(admin.address.to_string(), "127.0.0.1:9001");
    assert_eq!(config.storage.data, Path::new("sluice-data"));
    assert_eq!(config.storage.index, Path::new("sluice-data/index"));
    let set = &config.storage.set;
    assert_eq!((set.data_shards, set.parity_shards), (4, 2));
    let drives = (1..=6).map(|n| PathBuf::from(format!("sluice-data/drive{n}")));
    assert_eq!(set.drives, drives.collect::<Vec<_>>());
    let [root] = config.accounts.as_slice() else {
        panic!("{:?}", config.accounts);
    };
    assert_eq!(root.roles, ["bucket-provisioner"]);
    assert_eq!(
        root.keys[0].secret_key,
        Reference::File("sluice-data/root.secret-key".into())
    );
    let generated = config.generated_key().unwrap();
    assert_eq!(
        generated,
        (
            Path::new("sluice-data/root.access-key"),
            Path::new("sluice-data/root.secret-key")
        )
    );
    let copy = Config::parse(Config::embedded_text(), "copy.yaml", Path::new("")).unwrap();
    assert_eq!(copy.generated_key(), Some(generated));
    let plugins = config.plugins.iter();
    let plugins: Vec<_> = plugins
        .map(|plugin| (&plugin.name[..], &plugin.source))
        .collect();
    let builtin = |name: &str| PluginSource::Builtin(name.to_owned());
    assert_eq!(
        plugins,
        [
            ("auth", &builtin("auth")),
            ("provisioning", &builtin("provisioning")),
            ("cors", &builtin("cors")),
            ("acl", &builtin("acl")),
            ("tagging", &builtin("tagging")),
            ("request-payment", &builtin("request-payment")),
            ("location", &builtin("location")),
        ]
    );
    let chain: Vec<_> = config.chain.iter().map(|step| &step.plugin[..]).collect();
    assert_eq!(
        chain,
        [
            "auth",
            "provisioning",
            "cors",
            "acl",
            "tagging",
            "request-payment",
            "location"
        ]
    );
}

/// The comments of the embedded configuration call its values the defaults.
#[test]
fn what_the_embedded_configuration_spells_out_is_what_a_short_one_gets() {
    let short = "
version: 1
storage: {sets: [{drives: [a, b, c], data_shards: 2, parity_shards: 1}]}
accounts: [{id: me}]
";
    let short = Config::parse(short, "short.yaml", Path::new("/etc")).unwrap();
    let full = Config::embedded(&Overrides::default()).unwrap();
    let shown = |limits: &Limits| format!("{limits:?}");
    assert_eq!(short.listeners[0].address, full.listeners[0].address);
    assert_eq!(shown(&short.listeners[0].limits), shown(&Limits::default()));
    assert_eq!(shown(&full.listeners[0].limits), shown(&Limits::default()));
    assert_eq!(short.region, full.region);
    assert_eq!(short.storage.data, Path::new("/etc/sluice-data"));
    assert_eq!(short.accounts[0].display_name, "me");
    assert!(short.admin.is_none());
    for plugin in full.plugins.iter().chain(&short.plugins) {
        assert_eq!(plugin.limits, PluginLimits::default(), "{}", plugin.name);
        assert_eq!(plugin.breaker, Some(Breaker::default()), "{}", plugin.name);
    }
    for config in [&short, &full] {
        assert_eq!(config.decisions, Decisions::default());
        assert_eq!(config.uploads.expire_after, None);
        let cache = config.storage.data.join("plugin-cache");
        assert_eq!(config.plugin_cache, Some(cache));
    }
    let chain = |config: &Config| -> Vec<String> {
        config
            .chain
            .iter()
            .map(|step| step.plugin.clone())
            .collect()
    };
    assert_eq!(chain(&short), chain(&full));
}

#[test]
fn the_command_line_overrides_addresses_the_data_directory_and_the_first_key() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let overrides = Overrides {
        data: Some("/tmp/elsewhere".into()),
        listen: Some(address("127.0.0.1:0")),
        admin: Some(address("127.0.0.1:0")),
        access_key: Some(Secret::new("from-the-environment")),
        secret_key: None,
    };
    let config = Config::embedded(&overrides).unwrap();
    assert_eq!(config.listeners[0].address, address("127.0.0.1:0"));
    assert_eq!(config.admin.unwrap().address, address("127.0.0.1:0"));
    let drive = Path::new("/tmp/elsewhere/drive6");
    assert_eq!(config.storage.set.drives[5], drive);
    let key = &config.accounts[0].keys[0];
    let literal = Reference::Literal(Secret::new("from-the-environment"));
    assert_eq!(key.access_key, literal);
    let file = Reference::File("/tmp/elsewhere/root.secret-key".into());
    assert_eq!(key.secret_key, file);

    let clash = Overrides {
        listen: Some(address("127.0.0.1:9001")),
        ..Overrides::default()
    };
    let report = Config::embedded(&clash).unwrap_err();
    assert_eq!(report.diagnostics[0].path, "admin.address");
}

#[test]
fn a_custom_plugin_is_read_with_all_that_is_said_about_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/custom-plugin.yaml");
    let config = Config::load(&path).unwrap();
    let plugin = config.plugin("require-tag").unwrap();
    let file = path.with_file_name("require_tag.wasm");
    assert_eq!(plugin.source, PluginSource::File(file));
    assert_eq!(plugin.limits.cpu, Duration::from_millis(2));
    assert_eq!(plugin.limits.memory, 4 << 20);
    assert_eq!(plugin.limits.output, PluginLimits::default().output);
    assert_eq!(
        plugin.on_failure.kinds[&FailureKind::Overload],
        Failure::Answer(s3::Code::SlowDown)
    );
    assert!(plugin.grants.is_empty());
    let auth = config.plugin("auth").unwrap();
    assert!(auth.grants.contains(&Grant::Identity));

    // The insert comes after its anchor, with the buckets of its entry.
    let uploads = [Operation::PutObject, Operation::CreateMultipartUpload];
    type Expected<'a> = (&'a str, &'a [Operation], &'a [&'a str], &'a str, Mode);
    let expected: [Expected<'_>; 6] = [
        (
            "auth",
            &[],
            &[],
            r#"{"regions":["us-east-1"]}"#,
            Mode::Enforce,
        ),
        (
            "provisioning",
            &[],
            &[],
            r#"{"default_template":"default","mode":"create-delete","regions":["us-east-1"],"templates":[{"name":"default"}]}"#,
            Mode::Enforce,
        ),
        ("acl", &[], &[], "{}", Mode::Enforce),
        (
            "require-tag",
            &uploads,
            &["finance-*"],
            r#"{"key":"cost-centre"}"#,
            Mode::Shadow,
        ),
        ("location", &[], &[], "{}", Mode::Enforce),
        (
            "require-tag",
            &uploads,
            &["prod-*"],
            r#"{"key":"team"}"#,
            Mode::Enforce,
        ),
    ];
    assert_eq!(config.chain.len(), expected.len());
    for (step, (plugin, operations, buckets, settings, mode)) in config.chain.iter().zip(expected) {
        let Match {
            buckets: own,
            within,
            ..
        } = &step.matching;
        let own = own.iter().map(|glob| glob.as_str().to_owned());
        let globs: Vec<_> = own.chain(within.iter().map(selected)).collect();
        assert_eq!(step.plugin, plugin);
        assert_eq!(step.matching.operations, operations);
        assert_eq!(globs, buckets);
        assert_eq!(step.settings.to_string(), settings);
        assert_eq!(step.mode, mode);
    }
    assert_eq!(config.chain[3].place.path(), "buckets[0].insert[0]");
    assert_eq!(config.chain[4].place.path(), "chain[3]");
}

#[test]
fn what_a_plugin_may_reach_and_what_its_failures_mean_is_read_in_full() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/services.yaml");
    let config = Config::load(&path).unwrap();
    let data = Path::new("/var/lib/sluice");
    let ms = Duration::from_millis;

    let opa = config.plugin("opa-bridge").unwrap();
    assert_eq!(
        opa.grants.iter().copied().collect::<Vec<_>>(),
        [Grant::Http]
    );
    assert_eq!((opa.limits.cpu, opa.limits.wall), (ms(2), ms(250)));
    let breaker = Breaker {
        failures: 20,
        clients: 5,
        pause: Duration::from_secs(2),
    };
    assert_eq!(opa.breaker, Some(breaker));
    assert_eq!(opa.on_failure.load, OnStart::Refuse);
    let [endpoint] = opa.endpoints.as_slice() else {
        panic!("{:?}", opa.endpoints);
    };
    assert_eq!(endpoint.name, "opa");
    assert_eq!(endpoint.url, "http://127.0.0.1:8181/v1/data/s3/");
    assert_eq!(endpoint.methods, ["POST"]);
    assert_eq!((endpoint.timeout, endpoint.response), (ms(200), 16 << 10));
    assert!(endpoint.private_addresses);
    let [header] = endpoint.headers.as_slice() else {
        panic!("{:?}", endpoint.headers);
    };
    assert_eq!(header.name, "authorization");
    assert_eq!(header.reference, Reference::File(data.join("opa.token")));

    let limit = config.plugin("rate-limit").unwrap();
    assert_eq!(limit.breaker, None);
    assert_eq!(limit.on_failure.load, OnStart::Serve(Failure::Open));
    assert_eq!(limit.on_failure.settings, OnStart::Refuse);

    let links = config.plugin("shared-links").unwrap();
    assert_eq!(links.secrets[0].name, "links");
    assert_eq!(
        links.secrets[0].reference,
        Reference::File(data.join("links.secret"))
    );
    assert_eq!(links.on_failure.load, OnStart::Serve(Failure::Deny));
    let code = Failure::Answer(s3::Code::ServiceUnavailable);
    assert_eq!(links.on_failure.settings, OnStart::Serve(code));

    let matching = &config.chain[4].matching;
    assert_eq!(matching.prefixes, ["invoices/", "credit-notes/"]);
    assert_eq!(matching.principals, [Who::Role("uploader".to_owned())]);
    assert_eq!(config.chain[5].matching.principals, [Who::Anonymous]);
    assert_eq!(
        config.chain[6].matching.headers[0].as_str(),
        "x-link-signature"
    );
    assert_eq!(config.enforced, ["auth", "acl"]);
    let decisions = Decisions {
        file: Some("/var/log/sluice/decisions.jsonl".into()),
        sample: 0.001,
        keep: 10_000,
        file_size: 256 << 20,
    };
    assert_eq!(config.decisions, decisions);
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(config.uploads.expire_after, Some(week));
    assert_eq!(config.plugin_cache, Some("/var/cache/sluice".into()));
}

#[test]
fn what_depends_on_another_key_has_a_default_that_fits_it() {
    let read = |plugin: &str| {
        let text = format!(
            "
version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: me}}]
plugins: {{a: {{source: builtin:a, {plugin}}}}}
chain: [{{use: a}}]
plugin_cache: off
"
        );
        let config = Config::parse(&text, "defaults.yaml", Path::new("")).unwrap();
        assert_eq!(config.plugin_cache, None);
        config.plugins.into_iter().next().unwrap()
    };
    let wall = |plugin: &str| read(plugin).limits.wall;
    assert_eq!(wall("limits: {cpu: 5ms}"), Duration::from_secs(1));
    assert_eq!(wall("limits: {cpu: 3s}"), Duration::from_secs(3));
    let clients = |plugin: &str| read(plugin).breaker.unwrap().clients;
    assert_eq!(clients("breaker: {failures: 2}"), 2);
    assert_eq!(clients("breaker: {failures: 5}"), 3);
    // Given and empty is as good as left out.
    assert!(read("endpoints: {}, secrets: {}").endpoints.is_empty());
}

#[test]
fn inserts_stand_before_the_first_and_after_the_last_use_of_their_anchor() {
    let text = "
version: 1
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: me}]
plugins:
  a: {source: builtin:a}
  b: {source: builtin:b}
  x: {source: builtin:x}
  y: {source: builtin:y}
chain: [{use: a}, {use: b}, {use: a}]
buckets:
  - match: [one]
    insert: [{after: a, use: x}, {before: a, use: y}, {after: a, use: y}]
  - match: [two]
    insert: [{before: b, use: x}, {after: a, use: x, mode: off}]
";
    let config = Config::parse(text, "inserts.yaml", Path::new("")).unwrap();
    let chain: Vec<_> = config
        .chain
        .iter()
        .map(|step| match step.matching.within.first() {
            Some(selector) => format!("{}@{}", step.plugin, selected(selector)),
            None => step.plugin.clone(),
        })
        .collect();
    assert_eq!(
        chain.join(" "),
        "y@one a x@two b a x@one y@one x@two",
        "{chain:?}"
    );
}

#[test]
fn what_a_use_is_for_some_buckets_is_a_step_for_these_and_one_for_the_others() {
    let read = |buckets: &str| -> Vec<String> {
        let text = format!(
            "
version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: me}}]
plugins: {{a: {{source: builtin:a}}, b: {{source: builtin:b}}}}
chain: [{{use: a}}, {{use: b, match: {{buckets: [\"p*\"]}}, settings: {{k: 1}}}}]
buckets: [{buckets}]
enforced: [a]
"
        );
        let config = Config::parse(&text, "buckets.yaml", Path::new("")).unwrap();
        let globs = |globs: &[Glob]| globs.iter().map(Glob::as_str).collect::<Vec<_>>().join(",");
        let rules = |rules: &[Selector]| rules.iter().map(selected).collect::<Vec<_>>().join(",");
        let steps = config.chain.iter().map(|step| {
            let Match {
                buckets,
                within,
                except,
                ..
            } = &step.matching;
            format!(
                "{}: {} & {} - {} {} {} {}",
                step.plugin,
                globs(buckets),
                rules(within),
                rules(except),
                step.settings,
                step.mode.name(),
                step.place.path()
            )
        });
        steps.collect()
    };
    for (buckets, expected) in [
        ("", vec!["b: p* &  -  {\"k\":1} enforce chain[1]"]),
        (
            "{match: [x, \"y*\"], settings: {b: {k: 2}}}",
            vec![
                "b: p* & x,y* -  {\"k\":2} enforce buckets[0].settings.b",
                "b: p* &  - x,y* {\"k\":1} enforce chain[1]",
            ],
        ),
        (
            "{match: [x], shadow: [b]}",
            vec![
                "b: p* & x -  {\"k\":1} shadow buckets[0].shadow[0]",
                "b: p* &  - x {\"k\":1} enforce chain[1]",
            ],
        ),
        // Of two entries for a bucket, the first one counts.
        (
            "{match: [x], shadow: [b], settings: {b: {}}}, {match: [y], settings: {b: {k: 3}}}",
            vec![
                "b: p* & x -  {} shadow buckets[0].settings.b",
                "b: p* & y - x {\"k\":3} enforce buckets[1].settings.b",
                "b: p* &  - x,y {\"k\":1} enforce chain[1]",
            ],
        ),
        // What is inserted is as it is written there.
        (
            "{match: [x], shadow: [b], insert: [{after: b, use: b}]}",
            vec![
                "b: p* & x -  {\"k\":1} shadow buckets[0].shadow[0]",
                "b: p* &  - x {\"k\":1} enforce chain[1]",
                "b:  & x -  {} enforce buckets[0].insert[0]",
            ],
        ),
        // By what they were made, beside those with such names.
        (
            "{match: [x], templates: [gold, cold], settings: {b: {}}, insert: [{after: b, use: b}]}",
            vec![
                "b: p* & x,<gold>,<cold> -  {} enforce buckets[0].settings.b",
                "b: p* &  - x,<gold>,<cold> {\"k\":1} enforce chain[1]",
                "b:  & x,<gold>,<cold> -  {} enforce buckets[0].insert[0]",
            ],
        ),
    ] {
        let found = read(buckets);
        assert_eq!(found[0], "a:  &  -  {} enforce chain[0]", "{buckets}");
        assert_eq!(found[1..], expected, "{buckets}");
    }
}

#[test]
fn the_bundled_plugins_that_look_at_regions_take_the_one_that_is_configured() {
    let settings = |rest: &str| -> Vec<String> {
        let text = format!(
            "
version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: me}}]
{rest}
"
        );
        let config = Config::parse(&text, "region.yaml", Path::new("")).unwrap();
        let chain = config.chain.iter();
        chain.map(|step| step.settings.to_string()).collect()
    };
    let catalogue = "plugins: {who: {source: builtin:auth}, auth: {source: \"file:auth.wasm\"}}";
    for (rest, expected) in [
        (
            "chain: [{use: auth}]".to_owned(),
            vec![r#"{"regions":["us-east-1"]}"#],
        ),
        (
            "region: eu-central-1\nchain: [{use: auth}, {use: provisioning}, {use: acl}]"
                .to_owned(),
            vec![
                r#"{"regions":["eu-central-1"]}"#,
                r#"{"regions":["eu-central-1"]}"#,
                "{}",
            ],
        ),
        (
            format!("region: eu-central-1\n{catalogue}\nchain: [{{use: who}}, {{use: auth}}]"),
            vec![r#"{"regions":["eu-central-1"]}"#, "{}"],
        ),
        (
            format!(
                "region: eu-central-1\n{catalogue}\nchain: [{{use: who, settings: {{regions: [any]}}}}]"
            ),
            vec![r#"{"regions":["any"]}"#],
        ),
    ] {
        assert_eq!(settings(&rest), expected, "{rest}");
    }
    // In the embedded chain, too.
    let embedded = settings("region: eu-central-1");
    let told = embedded
        .iter()
        .filter(|one| one.contains(r#""regions":["eu-central-1"]"#));
    assert_eq!(told.count(), 2, "{embedded:?}");
}

#[test]
fn an_alias_stands_for_what_it_names() {
    let text = "
version: 1
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: me}]
plugins:
  a: {source: builtin:a, limits: &limits {cpu: 7ms}}
  b: {source: builtin:b, limits: *limits}
chain: [{use: a}, {use: b}]
";
    let config = Config::parse(text, "alias.yaml", Path::new("")).unwrap();
    for plugin in &config.plugins {
        assert_eq!(plugin.limits.cpu, Duration::from_millis(7));
    }
}

/// What an entry of `buckets` is about, as a test writes it.
fn selected(selector: &Selector) -> String {
    match selector {
        Selector::Name(glob) => glob.as_str().to_owned(),
        Selector::Template(name) => format!("<{name}>"),
    }
}
