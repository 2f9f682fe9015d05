//! Generates calls from the description, out of values that conform to it, ids of existing resources, and invalid values.

use serde_json::{Map, Value, json};

use super::schema::{Description, Operation};

/// A generated call.
pub(super) struct Call {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// Generates the same calls in every run.
pub(super) struct Generator {
    random: u64,
    /// Ids of existing resources.
    ids: Vec<String>,
}

/// Texts that could break a parser.
const ODD: [&str; 12] = [
    "",
    " ",
    "0",
    "-1",
    "null",
    "\u{0}",
    "ä\u{1F600}",
    "{}",
    "00000000-0000-0000-0000-000000000000",
    "'",
    "%",
    "ACTIVE",
];

/// Maximum number of ids.
const REMEMBERED: usize = 64;

impl Generator {
    pub(super) fn new(ids: Vec<String>) -> Self {
        Self { random: 0x9E37_79B9_7F4A_7C15, ids }
    }

    /// Adds the id at the end of the address of a new resource.
    pub(super) fn learn(&mut self, address: &str) {
        let id = address.trim_matches('"').rsplit('/').next().unwrap().to_owned();
        if self.ids.len() == REMEMBERED {
            let place = 4 + self.below(REMEMBERED - 4);
            self.ids.remove(place);
        }
        self.ids.push(id);
    }

    pub(super) fn call(&mut self, description: &Description, operation: &Operation) -> Call {
        let mut call = Call { path: operation.path.clone(), headers: Vec::new(), body: String::new() };
        let mut query = Vec::new();
        for parameter in &operation.parameters {
            let name = parameter["name"].as_str().unwrap();
            let place = parameter["in"].as_str().unwrap();
            if place != "path" && self.below(3) > 0 {
                continue;
            }
            let value = self.value(description, &parameter["schema"]);
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match place {
                // A blank segment would change the path.
                "path" if value.trim().is_empty() => call.path = call.path.replace(&format!("{{{name}}}"), "x"),
                "path" => call.path = call.path.replace(&format!("{{{name}}}"), &encoded(&value)),
                "query" => query.push(format!("{name}={}", encoded(&value))),
                "header" if value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    call.headers.push((name.to_owned(), value));
                }
                _ => {}
            }
        }
        if !query.is_empty() {
            call.path = format!("{}?{}", call.path, query.join("&"));
        }
        if let Some(schema) = &operation.body {
            let body = self.value(description, schema).to_string();
            // One body in 20 is truncated.
            let end =
                if self.below(20) == 0 { body.floor_char_boundary(self.below(body.len() + 1)) } else { body.len() };
            call.body = body[..end].to_owned();
        }
        call
    }

    /// A value that usually conforms to its schema.
    fn value(&mut self, description: &Description, schema: &Value) -> Value {
        let schema = description.resolve(schema);
        if self.below(12) == 0 {
            return self.wrong();
        }
        // The `oneOf` alternatives with an `enum` contribute all their choices.
        let forms = schema["oneOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
        let forms = forms.iter().map(|form| description.resolve(form));
        let choices: Vec<&Value> = forms.filter_map(|form| form["enum"].as_array()).flatten().collect();
        if !choices.is_empty() {
            return choices[self.below(choices.len())].clone();
        }
        let names = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        match names[self.below(names.len())].as_str().unwrap() {
            "string" if schema["format"] == "uuid" && self.below(8) > 0 => {
                let place = self.below(self.ids.len());
                json!(self.ids[place])
            }
            "string" if schema["format"] == "uuid" => json!(uuid::Uuid::from_u128(self.next().into()).to_string()),
            "string" if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("\"v")) => {
                json!(format!("\"v{}\"", 1 + self.below(3)))
            }
            "string" if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("A-F")) => json!("3b8d01"),
            "string" => json!(format!("card-{}", self.below(20))),
            "integer" => json!(self.below(300)),
            "number" => json!(4.5),
            "boolean" => json!(self.below(2) == 0),
            "array" => (0..self.below(3)).map(|_| self.value(description, &schema["items"])).collect(),
            "object" => self.object(description, schema),
            _ => Value::Null,
        }
    }

    fn object(&mut self, description: &Description, schema: &Value) -> Value {
        let mut members = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required.iter().any(|required| required == name);
            if self.below(if is_required { 20 } else { 2 }) > 0 {
                members.insert(name.clone(), self.value(description, schema));
            }
        }
        if schema["properties"].is_null() {
            members.insert(format!("item {}", self.below(9)), self.value(description, &schema["additionalProperties"]));
        }
        Value::Object(members)
    }

    fn wrong(&mut self) -> Value {
        match self.below(6) {
            0 => Value::Null,
            1 => json!({ "a": [1, {}] }),
            2 => json!([[], "x"]),
            3 => json!(self.below(100_000)),
            4 => json!(true),
            _ => json!(ODD[self.below(ODD.len())]),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Percent-encodes a part of an address.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        let letter = char::from(byte);
        if letter.is_ascii_alphanumeric() || letter == '-' { letter.to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}
