//! Maps the users of a folder that `bench workload` wrote by ten rules in the language of an expression crate, JSON in and
//! JSON out, and prints the rate as one line of JSON: `bench-crates minijinja|rhai|cel FOLDER N`. Every rule is compiled
//! once; each crate gets only the members that the rules read, in its own form.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;
type Map = Box<dyn Fn(&Value) -> Outcome<Value>>;

/// What the rules read.
const READ: [&str; 8] =
    ["department", "firstName", "id", "language", "lastName", "profile", "title", "username"];

const DIRECT: [(&str, &str); 6] = [
    ("userName", "username"),
    ("givenName", "firstName"),
    ("familyName", "lastName"),
    ("title", "title"),
    ("department", "department"),
    ("externalId", "id"),
];

/// The account from the values of the rules, in their order.
fn account(values: Vec<String>) -> Outcome<Value> {
    let [user_name, given, family, title, department, id, timezone, language, email, kind]: [String; 10] =
        values.try_into().map_err(|_| "there are not ten rules")?;
    Ok(json!({
        "department": department, "email": email, "externalId": id, "name": {"familyName": family, "givenName": given},
        "preferredLanguage": language, "timezone": timezone, "title": title, "userName": user_name, "userType": kind,
    }))
}

fn by_minijinja() -> Outcome<Map> {
    use minijinja::Environment;
    let mut texts: Vec<String> = DIRECT.iter().map(|(_, source)| (*source).to_owned()).collect();
    texts.push("'Europe/Zurich'".to_owned());
    texts.push("language or 'en'".to_owned());
    texts.push("firstName|lower ~ '.' ~ lastName|lower ~ '@example.com'".to_owned());
    texts.push(
        "'nurse' if profile == 'Nurses' else 'physician' if profile == 'Doctors' else \
         'staff' if profile == 'Administration' else 'external'"
            .to_owned(),
    );
    let environment: &'static Environment<'static> = Box::leak(Box::new(Environment::new()));
    let rules = texts.into_iter().map(|text| environment.compile_expression_owned(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(move |user| {
        let read = READ.iter().map(|name| (*name, user[*name].as_str()));
        let members = read.map(|(name, text)| (name.to_owned(), minijinja::Value::from(text)));
        let context = minijinja::Value::from(members.collect::<BTreeMap<String, minijinja::Value>>());
        let value = |rule: &minijinja::Expression<'_, '_>| Ok(rule.eval(&context)?.as_str().unwrap_or_default().to_owned());
        account(rules.iter().map(value).collect::<Outcome<_>>()?)
    }))
}

fn by_rhai() -> Outcome<Map> {
    use rhai::{Dynamic, Engine, OptimizationLevel, Scope};
    let mut engine = Engine::new();
    engine.set_optimization_level(OptimizationLevel::Full);
    engine.register_fn("lower", |text: &str| text.to_lowercase());
    let mut texts: Vec<String> = DIRECT.iter().map(|(_, source)| (*source).to_owned()).collect();
    texts.push("\"Europe/Zurich\"".to_owned());
    texts.push("if language == () { \"en\" } else { language }".to_owned());
    texts.push("lower(firstName) + \".\" + lower(lastName) + \"@example.com\"".to_owned());
    texts.push(
        "switch profile { \"Nurses\" => \"nurse\", \"Doctors\" => \"physician\", \"Administration\" => \"staff\", \
         _ => \"external\" }"
            .to_owned(),
    );
    let rules = texts.iter().map(|text| engine.compile(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(move |user| {
        let mut scope = Scope::new();
        for name in READ {
            scope.push_dynamic(name, user[name].as_str().map_or(Dynamic::UNIT, Dynamic::from_str_like));
        }
        let mut values = Vec::with_capacity(rules.len());
        for rule in &rules {
            values.push(engine.eval_ast_with_scope::<String>(&mut scope, rule)?);
        }
        account(values)
    }))
}

/// A text as rhai has it.
trait FromText {
    fn from_str_like(text: &str) -> Self;
}

impl FromText for rhai::Dynamic {
    fn from_str_like(text: &str) -> Self {
        rhai::ImmutableString::from(text).into()
    }
}

fn by_cel() -> Outcome<Map> {
    use cel::objects::Value as Cel;
    use cel::{Context, Program};
    use std::sync::Arc;
    let mut texts: Vec<String> = DIRECT.iter().map(|(_, source)| (*source).to_owned()).collect();
    texts.push("'Europe/Zurich'".to_owned());
    texts.push("language == null ? 'en' : language".to_owned());
    texts.push("lower(firstName) + '.' + lower(lastName) + '@example.com'".to_owned());
    texts.push(
        "profile == 'Nurses' ? 'nurse' : profile == 'Doctors' ? 'physician' : \
         profile == 'Administration' ? 'staff' : 'external'"
            .to_owned(),
    );
    let rules = texts.iter().map(|text| Program::compile(text)).collect::<Result<Vec<_>, _>>()?;
    let mut base = Context::default();
    base.add_function("lower", |text: Arc<String>| text.to_lowercase())?;
    Ok(Box::new(move |user| {
        let mut context = base.new_inner_scope();
        for name in READ {
            context.add_variable_from_value(name, user[name].as_str().map_or(Cel::Null, Cel::from));
        }
        let mut values = Vec::with_capacity(rules.len());
        for rule in &rules {
            match rule.execute(&context)? {
                Cel::String(text) => values.push(text.to_string()),
                _ => return Err("a rule gave no text".into()),
            }
        }
        account(values)
    }))
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, n] = words.as_slice() else { return Err("bench-crates minijinja|rhai|cel FOLDER N".into()) };
    let n: u32 = n.parse()?;
    let map = match name.as_str() {
        "minijinja" => by_minijinja()?,
        "rhai" => by_rhai()?,
        "cel" => by_cel()?,
        _ => return Err(format!("`{name}` is not measured").into()),
    };
    let read = |file: &str| std::fs::read_to_string(Path::new(folder).join(file));
    let (users, accounts) = (read("users.ndjson")?, read("accounts.ndjson")?);
    for (user, account) in users.lines().zip(accounts.lines()) {
        if map(&serde_json::from_str(user)?)? != serde_json::from_str::<Value>(account)? {
            return Err("a user is mapped wrongly".into());
        }
    }
    let start = Instant::now();
    for user in users.lines().cycle().take(n as usize) {
        black_box(serde_json::to_vec(&map(&serde_json::from_str(black_box(user))?)?)?);
    }
    println!("{}", json!({"name": name, "n": n, "rate": f64::from(n) / start.elapsed().as_secs_f64()}));
    Ok(())
}
