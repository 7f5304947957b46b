//! Operators that look values up: `LabelEncoder`, `CategoryMapper`, `OneHotEncoder`.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, DatumType, IntoTValue, TVec, Tensor, TractResult, tvec};
use tract_onnx::tract_core::internal::bail;

use super::attributes::Attributes;
use super::rows::only;
use super::{Fact, Kernel, Operator};

/// What ONNX gives for a text that is not in a list, unless the node says otherwise.
const UNUSED: &str = "_Unused";

/// Where each of some values stands first.
#[derive(Debug)]
enum Keys {
    Texts(HashMap<String, usize>),
    Ints(HashMap<i64, usize>),
    /// By their bits, of which all that are equal have the same.
    Numbers(HashMap<u64, usize>),
}

impl Keys {
    fn of(values: &Values) -> Self {
        match values {
            Values::Texts(values) => Self::Texts(places(values.iter().cloned())),
            Values::Ints(values) => Self::Ints(places(values.iter().copied())),
            Values::Floats(values) => {
                Self::Numbers(places(values.iter().map(|value| bits((*value).into()))))
            }
            Values::Doubles(values) => Self::Numbers(places(values.iter().copied().map(bits))),
        }
    }

    /// Whether values of this type can be looked up.
    fn take(&self, datum_type: DatumType) -> TractResult<()> {
        let text = datum_type == String::datum_type();
        match self {
            Self::Texts(_) if !text => bail!("its input is {datum_type:?}, expected texts"),
            Self::Ints(_) | Self::Numbers(_) if text => {
                bail!("its input is texts, expected numbers")
            }
            _ => Ok(()),
        }
    }

    fn find(&self, tensor: &Tensor) -> TractResult<Vec<Option<usize>>> {
        match self {
            Self::Texts(places) => {
                let texts = tensor.try_as_plain_ram()?;
                let texts = texts.as_slice::<String>()?.iter();
                Ok(texts.map(|text| places.get(text).copied()).collect())
            }
            Self::Ints(places) => {
                let ints = tensor.cast_to::<i64>()?;
                let ints = ints.try_as_plain_ram()?.as_slice::<i64>()?.to_vec();
                Ok(ints.iter().map(|int| places.get(int).copied()).collect())
            }
            Self::Numbers(places) => {
                let numbers = tensor.cast_to::<f64>()?;
                let numbers = numbers.try_as_plain_ram()?.as_slice::<f64>()?.to_vec();
                let place = |number| places.get(&bits(number)).copied();
                Ok(numbers.into_iter().map(place).collect())
            }
        }
    }
}

fn places<T: std::hash::Hash + Eq>(values: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut places = HashMap::new();
    for (place, value) in values.enumerate() {
        places.entry(value).or_insert(place);
    }
    places
}

fn bits(number: f64) -> u64 {
    if number.is_nan() {
        f64::NAN.to_bits()
    } else {
        // Nought has two signs.
        (number + 0.0).to_bits()
    }
}

/// A list of values of one type.
#[derive(Debug)]
enum Values {
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
}

impl Values {
    /// The one list of keys or values that a node has.
    fn read(node: &Attributes<'_>, prefix: &str) -> TractResult<Self> {
        if let Some(tensor) = node.tensor(&format!("{prefix}_tensor"))? {
            return Self::of(&tensor);
        }
        let texts = node.strings(&format!("{prefix}_strings"))?;
        let ints = node.ints(&format!("{prefix}_int64s"));
        let floats = node.floats(&format!("{prefix}_floats"));
        match (&*texts, ints, floats) {
            ([], [], []) => bail!("it has no {prefix}"),
            (texts, [], []) => Ok(Self::Texts(
                texts.iter().copied().map(str::to_owned).collect(),
            )),
            ([], ints, []) => Ok(Self::Ints(ints.to_vec())),
            ([], [], floats) => Ok(Self::Floats(floats.to_vec())),
            _ => bail!("it has {prefix} of several types"),
        }
    }

    fn of(tensor: &Tensor) -> TractResult<Self> {
        match tensor.datum_type() {
            DatumType::String => {
                let texts = tensor.try_as_plain_ram()?;
                Ok(Self::Texts(texts.as_slice::<String>()?.to_vec()))
            }
            DatumType::F32 => {
                let floats = tensor.try_as_plain_ram()?;
                Ok(Self::Floats(floats.as_slice::<f32>()?.to_vec()))
            }
            DatumType::F64 => {
                let doubles = tensor.try_as_plain_ram()?;
                Ok(Self::Doubles(doubles.as_slice::<f64>()?.to_vec()))
            }
            _ => {
                let ints = tensor.cast_to::<i64>()?;
                Ok(Self::Ints(
                    ints.try_as_plain_ram()?.as_slice::<i64>()?.to_vec(),
                ))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Texts(values) => values.len(),
            Self::Ints(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
        }
    }

    fn datum_type(&self) -> DatumType {
        match self {
            Self::Texts(_) => String::datum_type(),
            Self::Ints(_) => i64::datum_type(),
            Self::Floats(_) => f32::datum_type(),
            Self::Doubles(_) => f64::datum_type(),
        }
    }

    /// A value for each place, and the last one where there is none.
    fn pick(&self, shape: &[usize], places: &[Option<usize>]) -> TractResult<Tensor> {
        match self {
            Self::Texts(values) => pick(values, shape, places),
            Self::Ints(values) => pick(values, shape, places),
            Self::Floats(values) => pick(values, shape, places),
            Self::Doubles(values) => pick(values, shape, places),
        }
    }
}

fn pick<T: Datum + Clone>(
    values: &[T],
    shape: &[usize],
    places: &[Option<usize>],
) -> TractResult<Tensor> {
    let Some((default, values)) = values.split_last() else {
        bail!("it has no values")
    };
    let value =
        |place: &Option<usize>| place.and_then(|place| values.get(place)).unwrap_or(default);
    let picked = places.iter().map(|place| value(place).clone()).collect();
    Ok(ArrayD::from_shape_vec(shape, picked)?.into())
}

/// From one value to another.
#[derive(Clone, Debug)]
struct Map {
    keys: Arc<Keys>,
    /// One for each key, and the default.
    values: Arc<Values>,
}

impl Map {
    fn new(keys: &Values, values: Values) -> TractResult<Self> {
        if keys.len() + 1 != values.len() {
            bail!("it has {} keys and {} values", keys.len(), values.len() - 1);
        }
        let keys = Keys::of(keys).into();
        let values = values.into();
        Ok(Self { keys, values })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let input = only(inputs)?;
        self.keys.take(input.datum_type)?;
        Ok(tvec![Fact::new(
            self.values.datum_type(),
            input.shape.clone()
        )])
    }

    fn compile(&self) -> Kernel {
        let Self { keys, values } = self.clone();
        Arc::new(move |inputs| {
            let input = only(inputs)?;
            let output = values.pick(input.shape(), &keys.find(input)?)?;
            Ok(tvec![output.into_tvalue()])
        })
    }
}

#[derive(Debug)]
pub(super) struct LabelEncoder(Encoding);

#[derive(Debug)]
enum Encoding {
    Map(Map),
    /// Both ways between texts and integers, as the input is.
    Either {
        encode: Map,
        decode: Map,
    },
}

impl Encoding {
    fn of(&self, inputs: &[Fact]) -> TractResult<&Map> {
        let text = only(inputs)?.datum_type == String::datum_type();
        Ok(match self {
            Self::Map(map) => map,
            Self::Either { encode, .. } if text => encode,
            Self::Either { decode, .. } => decode,
        })
    }

    fn either(node: &Attributes<'_>, texts: Vec<String>, ints: &[i64]) -> TractResult<Self> {
        let unknown = node.text("default_string")?.unwrap_or(UNUSED).to_owned();
        let (keys, codes) = (Values::Texts(texts.clone()), Values::Ints(ints.to_vec()));
        let ints = ints
            .iter()
            .copied()
            .chain([node.int("default_int64").unwrap_or(-1)]);
        let texts = texts.into_iter().chain([unknown]);
        Ok(Self::Either {
            encode: Map::new(&keys, Values::Ints(ints.collect()))?,
            decode: Map::new(&codes, Values::Texts(texts.collect()))?,
        })
    }
}

impl Operator for LabelEncoder {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        // Version 1 numbers texts by their place.
        let classes = node.strings("classes_strings")?;
        if !classes.is_empty() {
            let classes: Vec<_> = classes.into_iter().map(str::to_owned).collect();
            let numbers: Vec<i64> = (0..).take(classes.len()).collect();
            return Encoding::either(node, classes, &numbers).map(Self);
        }
        let mut values = Values::read(node, "values")?;
        let default = node.tensor("default_tensor")?;
        let default = default.as_ref().map(Values::of).transpose()?;
        match (&mut values, default) {
            (Values::Texts(values), Some(Values::Texts(default))) => values.extend(default),
            (Values::Ints(values), Some(Values::Ints(default))) => values.extend(default),
            (Values::Floats(values), Some(Values::Floats(default))) => values.extend(default),
            (Values::Doubles(values), Some(Values::Doubles(default))) => values.extend(default),
            (_, Some(_)) => bail!("default_tensor is of another type than the values"),
            (Values::Texts(values), None) => {
                values.push(node.text("default_string")?.unwrap_or(UNUSED).to_owned());
            }
            (Values::Ints(values), None) => values.push(node.int("default_int64").unwrap_or(-1)),
            (Values::Floats(values), None) => {
                values.push(node.float("default_float").unwrap_or(-0.0));
            }
            (Values::Doubles(values), None) => values.push(-0.0),
        }
        let map = Map::new(&Values::read(node, "keys")?, values)?;
        Ok(Self(Encoding::Map(map)))
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        self.0.of(inputs)?.facts(inputs)
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        Ok(self.0.of(inputs)?.compile())
    }
}

/// `CategoryMapper`: from texts to integers or back.
#[derive(Debug)]
pub(super) struct CategoryMapper(Encoding);

impl Operator for CategoryMapper {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let texts = node.strings("cats_strings")?;
        let texts = texts.into_iter().map(str::to_owned).collect();
        Encoding::either(node, texts, node.ints("cats_int64s")).map(Self)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        self.0.of(inputs)?.facts(inputs)
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        Ok(self.0.of(inputs)?.compile())
    }
}

/// `OneHotEncoder`: a column for each category, 1 in that of the value.
#[derive(Debug)]
pub(super) struct OneHotEncoder {
    keys: Arc<Keys>,
    count: usize,
    /// Whether a value of no category is all noughts, or refused.
    zeros: bool,
}

impl Operator for OneHotEncoder {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let values = Values::read(node, "cats")?;
        Ok(Self {
            keys: Keys::of(&values).into(),
            count: values.len(),
            zeros: node.int("zeros").is_none_or(|zeros| zeros != 0),
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let input = only(inputs)?;
        self.keys.take(input.datum_type)?;
        let shape = input.shape.iter().cloned().chain([self.count.into()]);
        Ok(tvec![Fact::new(f32::datum_type(), shape)])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let (keys, count, zeros) = (Arc::clone(&self.keys), self.count, self.zeros);
        Ok(Arc::new(move |inputs| {
            let input = only(inputs)?;
            let places = keys.find(input)?;
            let mut hot = vec![0.0_f32; places.len() * count];
            for (row, place) in hot.chunks_mut(count).zip(places) {
                match place.and_then(|place| row.get_mut(place)) {
                    Some(one) => *one = 1.0,
                    None if zeros => {}
                    None => bail!("a value is of no category that the model knows"),
                }
            }
            let shape: Vec<_> = input.shape().iter().copied().chain([count]).collect();
            let hot: Tensor = ArrayD::from_shape_vec(shape, hot)?.into();
            Ok(tvec![hot.into_tvalue()])
        }))
    }
}
