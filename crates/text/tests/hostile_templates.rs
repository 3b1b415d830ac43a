//! Chat templates that would take memory, stack or the program: each gives an error, or does no harm.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use glassbox_text::chat::{ChatTemplate, Json, Message, RenderOptions};

fn render(source: &str) -> Result<String, &'static str> {
    let template = ChatTemplate::new(source, &[]).unwrap();
    let options =
        RenderOptions { tools: Some(Json::parse("[{\"a\": 1}]").unwrap()), ..RenderOptions::default() };
    template.render(&[Message::new("user", "Hi")], &options).map_err(|error| error.code())
}

/// Repeats `body` with a namespace whose `x` is `start` at first, then goes on with `then`.
fn looped(start: &str, body: &str, then: &str) -> String {
    format!("{{% set ns = namespace(x={start}) %}}{{% for i in range(10000) %}}{body}{{% endfor %}}{then}")
}

fn set(value: &str) -> String {
    format!("{{% set ns.x = {value} %}}")
}

fn assert_limited(sources: impl IntoIterator<Item = String>) {
    for source in sources {
        assert_eq!(render(&source), Err("chat_template_limit"), "{}", source.get(..200).unwrap_or(&source));
    }
}

#[test]
fn texts_cannot_grow_by_themselves() {
    let growing = [
        "ns.x ~ ns.x",
        "ns.x + ns.x",
        "ns.x * 9",
        "9 * ns.x",
        "(ns.x, ns.x) | join",
        "[ns.x, ns.x] | join('-')",
        "''.join([ns.x, ns.x])",
        "ns.x | replace('a', 'aa')",
        "ns.x.replace('a', 'aa')",
        "ns.x.replace('', 'aa')",
        "'%s%s' | format(ns.x, ns.x)",
        "'{}{}'.format(ns.x, ns.x)",
        "[ns.x, ns.x] | tojson",
        "[ns.x, ns.x] | string",
        "[ns.x, ns.x] | map('upper') | join",
    ];
    assert_limited(growing.map(|value| looped("'aa'", &set(value), "")));
    assert_limited([
        looped("'aa'", "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}", ""),
        looped("'aa'", "{% macro twice() %}{{ ns.x }}{{ ns.x }}{% endmacro %}{% set ns.x = twice() %}", ""),
        looped("'aa'", "{% set ns.x %}{% filter upper %}{{ ns.x }}{{ ns.x }}{% endfilter %}{% endset %}", ""),
        format!(
            "{{% set y %}}{{% for i in range(100000) %}}{}{{% endfor %}}{{% endset %}}",
            "a".repeat(100_000)
        ),
        looped("[]", "{% set y %}{{ 'a' * 1000000 }}{% endset %}{% set ns.x = ns.x + [y] %}", ""),
    ]);
}

#[test]
fn one_step_cannot_make_what_is_too_large() {
    let large = [
        "'a' * 100000000",
        "[1] * 100000000",
        "(1,) * 100000000",
        "('a' * 100000000) ~ ('a' * 100000000)",
        "('a' * 1000000) | replace('a', 'a' * 1000000)",
        "('a' * 1000000).replace('a', 'a' * 1000000)",
        "('a' * 1000000).join(range(100000))",
        "range(100000) | join('a' * 1000000)",
        "'a' | indent(10000000000)",
        "'a' | indent(width=10000000000)",
        "('\\n' * 1000000) | indent(10000)",
        "[1] | batch(1000000000, 0)",
        "[1] | slice(1000000000)",
        "'%1000000000d' | format(1)",
        "'%*d' | format(1000000000, 1)",
        "'{:1000000000}'.format(1)",
        "'%.1000000000f' | format(1.0)",
    ];
    assert_limited(large.map(|value| format!("{{% set x = {value} %}}")));
    assert_limited(large.map(|value| format!("{{% if {value} %}}{{% endif %}}")));
}

#[test]
fn lists_cannot_nest_or_multiply() {
    let growing = [
        "[ns.x]",
        "(ns.x,)",
        "{'a': ns.x}",
        "dict(a=ns.x)",
        "[ns.x, ns.x]",
        "ns.x + ns.x",
        "ns.x * 2",
        "{'a': ns.x, 'b': ns.x}",
        "[ns.x] | list",
        "[ns.x] | batch(1) | list",
        "ns.x | zip(ns.x)",
        "ns.x | chain(ns.x) | list",
        "[ns.x] | groupby('a')",
        "{'a': ns.x}.items()",
        "{'a': ns.x} | items",
    ];
    assert_limited(growing.map(|value| looped("[1]", &set(value), "{{ ns.x }}")));
    // Written by code of their own, by 64 levels the same as 2^64 lists.
    for written in
        ["{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x == ns.x }}", "{{ ns.x ~ '' }}", "{{ ns.x | string }}"]
    {
        let source = format!(
            "{{% set ns = namespace(x=[1]) %}}{{% for i in range(60) %}}{}{{% endfor %}}{written}",
            set("[ns.x, ns.x]")
        );
        assert_eq!(render(&source), Err("chat_template_limit"), "{written}");
    }
}

#[test]
fn chains_of_lazy_values_take_no_stack() {
    for value in [
        "ns.x[0:]",
        "ns.x[::-1]",
        "ns.x | reverse",
        "ns.x | chain([]) ",
        "ns.x * 1",
        "ns.x + []",
        "[] + ns.x",
    ] {
        let source = format!(
            "{{% set ns = namespace(x=[1, 2]) %}}{{% for i in range(90000) %}}{}{{% endfor %}}{{{{ ns.x | length }}}}",
            set(value)
        );
        assert_eq!(render(&source).as_deref(), Ok("2"), "{value}");
    }
}

#[test]
fn namespaces_hold_no_namespaces() {
    for source in [
        "{% set a = namespace() %}{% set a.x = a %}{{ a }}",
        "{% set a = namespace() %}{% set a.x = [a] %}{{ a }}",
        "{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = b %}{{ a }}",
        "{% set a = namespace() %}{% for a.x in [a] %}{{ a }}{% endfor %}",
        "{% set a = namespace() %}{% for a.x in ['b'] | map('default', a) %}{% endfor %}{{ a }}",
        "{% set a = namespace() %}{% for a.x in [b] | map('default', a) %}{{ a }}{% endfor %}",
        "{% set a = namespace() %}{% set a.x, b = [a, 1] %}{{ a }}",
        "{% set a = namespace() %}{% with a.x = a %}{{ a }}{% endwith %}",
    ] {
        let done = render(source);
        assert!(
            done == Err("chat_template") || done.as_ref().is_ok_and(|text| text.len() < 100),
            "{source}: {done:?}"
        );
    }
}

#[test]
fn sources_cannot_nest_too_deep() {
    let many = 80_000;
    let chains = [
        format!("{{{{ 1{} }}}}", "+1".repeat(many)),
        format!("{{{{ 'a'{} }}}}", "~'a'".repeat(many)),
        format!("{{{{ {}1 }}}}", "not ".repeat(many)),
        format!("{{{{ {}1 }}}}", "-".repeat(many)),
        format!("{{{{ a{} }}}}", ".a".repeat(many)),
        format!("{{{{ a{} }}}}", "[0]".repeat(many)),
        format!("{{{{ a{} }}}}", "()".repeat(many)),
        format!("{{{{ a{} }}}}", "|list".repeat(many)),
        format!("{{{{ a{} }}}}", " is a".repeat(many)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(many)),
        format!("{{{{ 1{} }}}}", " and 1".repeat(many)),
        format!("{{{{ 1{} }}}}", "**1".repeat(many)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(many / 2)),
        format!("{{{{ [1{}] }}}}", "+1".repeat(many)),
    ];
    assert_limited(chains);
    for source in [
        format!("{{{{ {}1{} }}}}", "[".repeat(many), "]".repeat(many)),
        "{% if 1 %}".repeat(many),
        "{% for a in b %}".repeat(many / 2),
        "{% if 1 %}a".repeat(140) + &"{% endif %}".repeat(140),
    ] {
        assert!(render(&source).is_ok() || render(&source).is_err());
    }
    // Long but flat.
    let list = format!("{{{{ [{}1] | length }}}}", "1+1, ".repeat(10_000));
    assert_eq!(render(&list).as_deref(), Ok("10001"));
    let branches = format!("{}ok", "{% if 0 %}{% elif 0 %}{% else %}{% endif %}".repeat(1000));
    assert_eq!(render(&branches).as_deref(), Ok("ok"));
}

#[test]
fn no_template_stops_the_program() {
    for source in [
        "{% for a in [1] %}{{ loop.cycle() }}{% endfor %}",
        "{% for a in [1] %}{{ loop.cycle(*[]) }}{% endfor %}",
        "{{ debug() }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for a in range(99999) recursive %}{{ loop(range(99999)) }}{% endfor %}",
        "{% macro a() %}{{ caller() }}{% endmacro %}{% call a() %}{% call a() %}x{% endcall %}{% endcall %}",
        "{% macro a(b) %}{{ a(b ~ b) }}{% endmacro %}{{ a('aa') }}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{% block a %}{% block b %}{{ self.a() }}{% endblock %}{% endblock %}",
        "{{ super() }}",
        "{{ self }}{{ self.a() }}",
        "{% set x = {} %}{{ x[[1]] }}{{ {[1]: 2} }}",
        "{{ 9223372036854775807 * 9223372036854775807 }}{{ -9223372036854775807 - 2 }}",
        "{{ 10 ** 10 ** 10 }}{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ -170141183460469231731687303715884105728 // -1 }}",
        "{{ 'a'[5:2] }}{{ 'abc'[::-2] }}{{ [1, 2][9:] }}{{ 'abc'[-9223372036854775807:] }}",
        "{{ 'a'[::9223372036854775807] }}{{ [1][::-9223372036854775807] }}",
        "{{ range(9223372036854775807, -9223372036854775807, -1) }}",
        "{{ range(0, 10, 9223372036854775807) | list }}{{ range(0, -10, -9223372036854775807) | list }}",
        "{{ 1.5 | round(100000) }}{{ 1 | round(-100000) }}",
        "{{ 'x' | int(base=99) }}",
        "{{ '10' | int(base=1) }}",
        "{{ [3, 'a', none, {}] | sort }}{{ [{}, [], 1] | unique | list }}{{ {} | dictsort }}",
        "{{ 'é🙂'[1] }}{{ 'é🙂' | truncate(1) }}",
        "{{ 'é' | title }}{{ '' | capitalize }}{{ ''.split('') }}",
        "{{ 'ab'.split('', 1) }}",
        "{{ 'a'.replace('a', 'b', -5) }}{{ 'a'.find('', 9, 2) }}",
        "{{ [] | batch(0) }}",
        "{{ [] | first }}{{ [] | min }}{{ [] | sum }}",
        "{{ strftime_now('%') }}",
        "{{ {'a': 1} * 3 }}",
        "{{ 'a' * 99999999999999999999 }}",
        "{{ 'a' * 'b' }}",
        "{{ [1] * 1.5 }}",
        "{{ none * 2 }}",
        "{{ 'a' * -1 }}|{{ [1] * 0 }}|{{ 2 * 2.5 }}|{{ true * 3 }}",
        "{% autoescape true %}{{ '<' | escape | replace('&', '&&') }}{% endautoescape %}",
        "{{ tools | tojson(indent=1000) }}",
        "{{ tools | tojson(separators=[1, 2]) }}",
        "{% include tools %}",
        "{% extends tools %}",
        "{% import 'a' as b %}",
        "{% set a.b.c = 1 %}",
        "{% for (a, (b, c)) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
        "{% do messages.append(1) %}",
        "{% set a, b = 1 %}",
        "{{ messages | map() }}",
        "{{ messages | map('nothing') | list }}",
        "{{ messages | selectattr('role', 'nothing') | list }}",
        "{{ lipsum(1000000) }}",
    ] {
        let done = render(source);
        assert!(
            done.as_ref().map_or_else(|code| code.starts_with("chat_"), |text| text.len() < 1000),
            "{source}: {done:?}"
        );
    }
}

#[test]
fn what_the_meter_does_is_not_seen() {
    for (source, text) in [
        ("{{ 'a' * 3 }}{{ 2 * 'b' }}{{ [1] * 2 }}{{ 3 * 4 }}{{ 2 * 1.5 }}", "aaabb[1, 1]123.0"),
        ("{{ 1 ~ 'a' ~ none ~ true ~ 1.5 }}", "1aNoneTrue1.5"),
        ("{{ [1] + [2] }}{{ 1 + 2 }}{{ 'a' + 'b' }}", "[1, 2]3ab"),
        ("{{ [1, 2, 3][1:] is sequence }}{{ [1, 2, 3][1:] }}", "True[2, 3]"),
        (
            "{% for a in [1, 2] recursive %}{{ a }}{% if a is not sequence %}{{ loop([]) }}{% endif %}{% endfor %}",
            "12",
        ),
        ("{% for a, (b, c) in [[1, [2, 3]]] %}{{ a + b + c }}{% endfor %}", "6"),
        ("{% macro m(a, b=[1]) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(2, b=3) }}", "1[1]23"),
        ("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}", "<x>"),
        ("{% set x %}a{{ 1 }}b{% endset %}{{ x }}{% filter upper %}c{{ x }}{% endfilter %}", "a1bCA1B"),
        (
            "{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{{ dict(a=1).items() | list }}",
            "2[('a', 1)]",
        ),
        ("{{ '%s-%5.2f' | format('a', 1.5) }}{{ '{:>4}'.format('a') }}", "a- 1.50   a"),
        ("{{ ['a', 'b'] | join(', ') }}{{ '-'.join(['a', 'b']) }}{{ 'a\nb' | indent(2) }}", "a, ba-ba\n  b"),
        ("{{ 'aXa' | replace('X', 'YY') }}{{ 'aXa'.replace('X', '') }}", "aYYaaa"),
        (
            "{% for a in [1, 2] %}{{ loop.cycle('x', 'y') }}{% endfor %}{% if [] %}{% else %}n{% endif %}",
            "xyn",
        ),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
}
