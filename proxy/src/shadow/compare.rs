//! Whether two answers say the same, and where they do not.

use policy::Compare;
use serde_json::{Map, Value};

use super::answer::{Answer, Meaning};
use super::tensors;
use crate::coding::TooLarge;
use crate::grpc;

/// How many differences of one pair are told; the first says that there are some.
const DIFFERENCES_MAX: usize = 16;

/// Where two answers differ, without what people wrote into them: text is told by its length alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Difference {
    /// `status`, `grpc-status`, `body`, `answer`, or a JSON pointer in which `*` stands for any member of a list.
    pub(crate) at: String,
    pub(crate) primary: String,
    pub(crate) shadow: String,
}

/// The differences of two answers by a rule; none if they agree. No answer at all differs from any, and what says
/// more than `room` is compared with nothing.
pub(super) fn differences(
    rule: &Compare,
    primary: &Answer,
    shadow: Option<&Answer>,
    room: u64,
) -> Result<Vec<Difference>, TooLarge> {
    let Some(shadow) = shadow else {
        return Ok(vec![Difference::new("answer", "there", "none")]);
    };
    let mut found = Differences {
        rule,
        path: Vec::new(),
        found: Vec::new(),
    };
    if primary.status != shadow.status {
        let (primary, shadow) = (primary.status.as_str(), shadow.status.as_str());
        found.found.push(Difference::new("status", primary, shadow));
    }
    if primary.ended != shadow.ended {
        let told = |ended: Option<grpc::Status>| ended.map_or("none", grpc::Status::name);
        let (primary, shadow) = (told(primary.ended), told(shadow.ended));
        let status = Difference::new("grpc-status", primary, shadow);
        found.found.push(status);
    }
    let (mut one, mut other) = (primary.meaning(room)?, shadow.meaning(room)?);
    if let (Meaning::Json(one), Meaning::Tensors(other))
    | (Meaning::Tensors(one), Meaning::Json(other)) = (&mut one, &mut other)
    {
        tensors::level(one);
        tensors::level(other);
    }
    if let (Some(one), Some(other)) = (one.values(), other.values()) {
        found.values(one, other);
        found.found.truncate(DIFFERENCES_MAX);
        return Ok(found.found);
    }
    match (&one, &other) {
        (Meaning::Text(one), Meaning::Text(other)) if is_same_text(one, other) => {}
        (Meaning::Opaque(one), Meaning::Opaque(other)) if one == other => {}
        _ => {
            let body = Difference::new("body", &one.told(), &other.told());
            found.found.push(body);
        }
    }
    Ok(found.found)
}

impl Difference {
    fn new(at: &str, primary: &str, shadow: &str) -> Self {
        Self {
            at: at.to_owned(),
            primary: primary.to_owned(),
            shadow: shadow.to_owned(),
        }
    }
}

/// Whether two texts have the same words: line ends and indentation say nothing.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    one.split_whitespace().eq(other.split_whitespace())
}

struct Differences<'a> {
    rule: &'a Compare,
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn values(&mut self, one: &Value, other: &Value) {
        if self.is_left_out() {
            return;
        }
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => self.maps(one, other),
            (Value::Array(one), Value::Array(other)) => self.lists(one, other),
            _ if !self.is_asked_for() || self.is_same(one, other) => {}
            _ => self.differ(&told(one), &told(other)),
        }
    }

    fn maps(&mut self, one: &Map<String, Value>, other: &Map<String, Value>) {
        let more = other.keys().filter(|key| !one.contains_key(*key));
        for key in one.keys().chain(more) {
            self.path.push(key.clone());
            match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => self.values(one, other),
                _ if self.is_left_out() || !self.is_asked_for() => {}
                (one, other) => {
                    let told = |value: Option<&Value>| value.map_or("absent".to_owned(), told);
                    self.differ(&told(one), &told(other));
                }
            }
            self.path.pop();
        }
    }

    fn lists(&mut self, one: &[Value], other: &[Value]) {
        if one.len() != other.len() {
            if self.is_asked_for() {
                let told = |list: &[Value]| format!("{} members", list.len());
                self.differ(&told(one), &told(other));
            }
            return;
        }
        let vectors = self.rule.cosine.zip(numbers(one).zip(numbers(other)));
        if let Some((least, (one, other))) = vectors.filter(|_| one.len() > 1) {
            let cosine = cosine(&one, &other);
            if self.is_asked_for() && cosine < least {
                self.differ("a vector", &format!("cosine {cosine:.4}"));
            }
            return;
        }
        let is_outputs = *self.path == ["outputs"];
        let named = by_name(one).zip(by_name(other)).filter(|_| is_outputs);
        let (one, other) = named.unwrap_or_else(|| (one.iter().collect(), other.iter().collect()));
        self.path.push("*".to_owned());
        for (one, other) in one.into_iter().zip(other) {
            self.values(one, other);
        }
        self.path.pop();
    }

    fn is_same(&self, one: &Value, other: &Value) -> bool {
        // Whole numbers are compared as such: a double does not tell all of them apart.
        if (one.is_f64() || other.is_f64() || self.rule.tolerance > 0.0)
            && let (Some(one), Some(other)) = (one.as_f64(), other.as_f64())
        {
            let scale = one.abs().max(other.abs()).max(1.0);
            return (one - other).abs() <= self.rule.tolerance * scale;
        }
        one == other
    }

    fn differ(&mut self, primary: &str, shadow: &str) {
        if self.found.len() < DIFFERENCES_MAX {
            let escaped =
                |part: &String| format!("/{}", part.replace('~', "~0").replace('/', "~1"));
            let at: String = self.path.iter().map(escaped).collect();
            let at = if at.is_empty() { "body" } else { &at };
            self.found.push(Difference::new(at, primary, shadow));
        }
    }

    fn is_left_out(&self) -> bool {
        let path: Vec<&str> = self.path.iter().map(|part| &**part).collect();
        let only = &self.rule.only;
        self.rule.ignore.iter().any(|it| it.covers(&path))
            || !(only.is_empty() || only.iter().any(|it| it.meets(&path)))
    }

    /// Whether this very place is compared, and not only something below it.
    fn is_asked_for(&self) -> bool {
        let path: Vec<&str> = self.path.iter().map(|part| &**part).collect();
        let only = &self.rule.only;
        only.is_empty() || only.iter().any(|it| it.covers(&path))
    }
}

/// Outputs of the Open Inference Protocol in the order of their names, as their own order says nothing; none if the
/// members are others.
fn by_name(list: &[Value]) -> Option<Vec<&Value>> {
    let name = |output: &Value| {
        let named = output.get("name").and_then(Value::as_str);
        named
            .filter(|_| output.get("datatype").is_some())
            .map(str::to_owned)
    };
    let mut named: Vec<_> = list
        .iter()
        .map(|output| Some((name(output)?, output)))
        .collect::<Option<_>>()?;
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(named.into_iter().map(|(_, output)| output).collect())
}

fn numbers(list: &[Value]) -> Option<Vec<f64>> {
    list.iter().map(Value::as_f64).collect()
}

/// The cosine of the angle between two vectors; two that are nought point the same way.
fn cosine(one: &[f64], other: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (dot(one, one), dot(other, other));
    match (a == 0.0, b == 0.0) {
        (true, true) => 1.0,
        (false, false) => dot(one, other) / (a * b).sqrt(),
        _ => 0.0,
    }
}

/// A value as anyone may see it.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => format!("text of {} characters", text.chars().count()),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(map) => format!("an object of {}", map.len()),
    }
}

#[cfg(test)]
mod tests {
    use policy::Pointer;

    use super::*;

    #[track_caller]
    fn check(rule: &Compare, one: &str, other: &str, expected: &[&str]) {
        let (one_answer, other_answer) = (Answer::saying(one), Answer::saying(other));
        let found = differences(rule, &one_answer, Some(&other_answer), 1000).unwrap();
        let found: Vec<&str> = found.iter().map(|it| &*it.at).collect();
        assert_eq!(found, expected, "{one} and {other}");
    }

    fn pointers(written: &[&str]) -> Vec<Pointer> {
        written.iter().filter_map(|it| Pointer::parse(it)).collect()
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        let plain = Compare::default();
        check(
            &plain,
            r#"{"a":1,"b":[true]}"#,
            r#"{ "b": [true], "a": 1.0 }"#,
            &[],
        );
        check(&plain, r#"{"a":1}"#, r#"{"a":2}"#, &["/a"]);
        check(&plain, r#"{"a":1}"#, r#"{"a":1,"b":0}"#, &["/b"]);
        check(&plain, r#"{"a":"x"}"#, r#"{"a":null}"#, &["/a"]);
        check(&plain, "[1,2]", "[1,2,3]", &["body"]);
        check(
            &plain,
            r#"{"a":[{"b/c":1},{"b/c":2}]}"#,
            r#"{"a":[{"b/c":1},{"b/c":3}]}"#,
            &["/a/*/b~1c"],
        );
        check(&plain, "[9007199254740993]", "[9007199254740992]", &["/*"]);
        check(&plain, "one two", "one\n  two\n", &[]);
        check(&plain, "one two", "one three", &["body"]);
    }

    #[test]
    fn numbers_may_differ_by_a_part_of_the_larger_one_or_of_one() {
        let rule = Compare {
            tolerance: 1e-3,
            ..Compare::default()
        };
        check(&rule, "[1000.0]", "[1000.9]", &[]);
        check(&rule, "[1000.0]", "[1001.1]", &["/*"]);
        check(&rule, "[0.0001]", "[0.001]", &[]);
        check(&rule, "[0.0]", "[0.002]", &["/*"]);
    }

    #[test]
    fn what_is_ignored_may_differ_and_what_is_asked_for_alone_counts() {
        let (one, other) = (
            r#"{"id":"a","outputs":[{"label":"x","score":0.1}]}"#,
            r#"{"id":"b","outputs":[{"label":"x","score":0.2}]}"#,
        );
        let ignore = Compare {
            ignore: pointers(&["/id"]),
            ..Compare::default()
        };
        check(&ignore, one, other, &["/outputs/*/score"]);
        let only = Compare {
            only: pointers(&["/outputs/*/label"]),
            ..Compare::default()
        };
        check(&only, one, other, &[]);
        check(
            &only,
            one,
            r#"{"outputs":[{"label":"y"}]}"#,
            &["/outputs/*/label"],
        );
        check(&only, one, r#"{"outputs":[{}]}"#, &["/outputs/*/label"]);
    }

    #[test]
    fn vectors_agree_by_their_direction() {
        let rule = Compare {
            cosine: Some(0.99),
            ..Compare::default()
        };
        check(&rule, "[1,2,3]", "[2,4,6.1]", &[]);
        check(&rule, "[1,2,3]", "[3,2,1]", &["body"]);
        check(&rule, "[0,0]", "[0,0]", &[]);
        check(&rule, "[0,0]", "[0,1]", &["body"]);
    }

    #[test]
    fn outputs_are_compared_by_name() {
        let plain = Compare::default();
        let (x, y, z) = (
            r#"{"name":"x","datatype":"INT8","data":[1]}"#,
            r#"{"name":"y","datatype":"INT8","data":[2]}"#,
            r#"{"name":"y","datatype":"INT8","data":[3]}"#,
        );
        let of = |one: &str, other: &str| format!(r#"{{"outputs":[{one},{other}]}}"#);
        check(&plain, &of(x, y), &of(y, x), &[]);
        check(&plain, &of(x, y), &of(z, x), &["/outputs/*/data/*"]);
        let of = |one: &str, other: &str| format!(r#"{{"inputs":[{one},{other}]}}"#);
        let told = ["/inputs/*/name", "/inputs/*/data/*"];
        let found = differences(
            &plain,
            &Answer::saying(&of(x, y)),
            Some(&Answer::saying(&of(y, x))),
            1000,
        );
        let found = found.unwrap();
        assert!(told.iter().all(|at| found.iter().any(|it| it.at == *at)));
    }

    #[test]
    fn tensors_in_binary_say_what_those_in_json_say() {
        let at = |rule: &Compare, one: &Answer, other: &Answer| {
            let found = differences(rule, one, Some(other), 1000).unwrap();
            found.into_iter().map(|it| it.at).collect::<Vec<_>>()
        };
        let floats = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
        let binary = |values| Answer::of_tensor("FP32", 2, &floats(values));
        let json = |data: &str| {
            let output = format!(r#"{{"name":"y","datatype":"FP32","shape":[1,2],"data":{data}}}"#);
            Answer::saying(&format!(r#"{{"outputs":[{output}]}}"#))
        };
        let plain = Compare::default();
        let nothing: [&str; 0] = [];
        let one = binary([0.1, 2.0]);
        assert_eq!(at(&plain, &one, &json("[[0.1,2]]")), nothing);
        assert_eq!(at(&plain, &json("[0.1,2.0]"), &one), nothing);
        assert_eq!(at(&plain, &one, &json("[0.2,2.0]")), ["/outputs/*/data/*"]);
        assert_eq!(at(&plain, &one, &binary([0.1, 2.1])), ["/outputs/*/data/*"]);
        let tolerant = Compare {
            tolerance: 0.1,
            ..Compare::default()
        };
        assert_eq!(at(&tolerant, &one, &binary([0.1, 2.1])), nothing);
        let cosine = Compare {
            cosine: Some(0.999),
            ..Compare::default()
        };
        assert_eq!(at(&cosine, &one, &binary([0.2, 4.0])), nothing);
        assert_eq!(at(&cosine, &one, &binary([2.0, 0.1])), ["/outputs/*/data"]);
        let ignore = Compare {
            ignore: pointers(&["/outputs/*/data"]),
            ..Compare::default()
        };
        assert_eq!(at(&ignore, &one, &binary([2.0, 0.1])), nothing);
        // One that is too short is compared with nothing but its like.
        let short = Answer::of_tensor("FP32", 2, &[0; 7]);
        assert_eq!(at(&plain, &one, &short), ["body"]);
        assert_eq!(at(&plain, &json("[0,0]"), &short), ["body"]);
        assert_eq!(at(&plain, &short, &short), nothing);
    }

    #[test]
    fn differences_tell_no_text() {
        let found = differences(
            &Compare::default(),
            &Answer::saying(r#"{"name":"Ada Lovelace"}"#),
            Some(&Answer::saying(r#"{"name":"Ada"}"#)),
            1000,
        )
        .unwrap();
        assert_eq!(
            found,
            [Difference::new(
                "/name",
                "text of 12 characters",
                "text of 3 characters"
            )]
        );
        let none = differences(&Compare::default(), &Answer::saying("{}"), None, 1000).unwrap();
        assert_eq!(none, [Difference::new("answer", "there", "none")]);
    }
}
