//! Reads the description: its operations, their answers and schemas. The validation supports the keywords of JSON Schema that
//! the description uses and panics on any other.

use serde_json::Value;

/// The description.
pub(super) struct Description(Value);

/// One operation.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) parameters: Vec<Value>,
    /// Schema of the body.
    pub(super) body: Option<Value>,
    responses: Value,
}

impl Description {
    pub(super) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Resolves a reference; any other value is returned as it is.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            None => value,
            Some(path) => self.0.pointer(path.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("no {path}")),
        }
    }

    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let body = &operation["requestBody"]["content"]["application/json"]["schema"];
                operations.push(Operation {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    parameters: parameters.iter().map(|parameter| self.resolve(parameter).clone()).collect(),
                    body: (!body.is_null()).then(|| self.resolve(body).clone()),
                    responses: operation["responses"].clone(),
                });
            }
        }
        operations
    }

    /// The schema of an answer with this status, `Some(None)` if it has no body; `None` if it is not described.
    #[expect(clippy::option_option, reason = "the inner None is an answer without a body")]
    pub(super) fn answer<'a>(&'a self, operation: &'a Operation, status: u16) -> Option<Option<&'a Value>> {
        let answer = self.resolve(operation.responses.get(status.to_string())?);
        let schema = &answer["content"]["application/json"]["schema"];
        Some((!schema.is_null()).then_some(schema))
    }

    /// Checks a value against a schema.
    pub(super) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolve(schema);
        for (keyword, said) in schema.as_object().unwrap() {
            let holds = match keyword.as_str() {
                "type" => is_of_type(said, value),
                "enum" => said.as_array().unwrap().contains(value),
                "minimum" => value.as_i64().is_none_or(|number| number >= said.as_i64().unwrap()),
                "maximum" => value.as_i64().is_none_or(|number| number <= said.as_i64().unwrap()),
                "format" => value.as_str().is_none_or(|text| uuid::Uuid::try_parse(text).is_ok()),
                "pattern" => {
                    value.as_str().is_none_or(|text| regex::Regex::new(said.as_str().unwrap()).unwrap().is_match(text))
                }
                "oneOf" => said.as_array().unwrap().iter().filter(|one| self.check(one, value).is_ok()).count() == 1,
                "required" => said.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
                "items" => {
                    for element in value.as_array().into_iter().flatten() {
                        self.check(said, element)?;
                    }
                    true
                }
                "properties" => {
                    for (name, schema) in said.as_object().unwrap() {
                        if let Some(member) = value.get(name) {
                            self.check(schema, member).map_err(|problem| format!("{name}: {problem}"))?;
                        }
                    }
                    true
                }
                "additionalProperties" if said == &Value::Bool(false) => {
                    let described = schema["properties"].as_object().unwrap();
                    value.as_object().into_iter().flatten().all(|(name, _)| described.contains_key(name))
                }
                "description" => true,
                other => panic!("the schemas of answers do not use {other}"),
            };
            if !holds {
                return Err(format!("{value} is not as {keyword} {said} says"));
            }
        }
        Ok(())
    }
}

fn is_of_type(said: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    };
    said.as_array().map_or_else(|| is(said), |names| names.iter().any(is))
}
