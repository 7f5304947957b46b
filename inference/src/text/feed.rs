//! Which inputs of a model take tokens, by the names that exporters give them, and tensors for these.

use super::Misfit;
use super::row::{Padding, Row, Runs};
use crate::{Datatype, Signature, Tensor, Values};

const IDS: [&str; 1] = ["input_ids"];
const MASK: [&str; 2] = ["attention_mask", "input_mask"];
const KINDS: [&str; 2] = ["token_type_ids", "segment_ids"];

/// The inputs of a model that takes tokens and nothing else.
#[derive(Debug)]
pub(super) struct Feed {
    slots: Vec<Slot>,
    /// How many rows at once, where the model says it.
    rows: Option<usize>,
    /// How long they must be, where it says that.
    length: Option<usize>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    role: Role,
    datatype: Datatype,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ids,
    Mask,
    Kinds,
}

impl Role {
    fn of(name: &str) -> Option<Self> {
        let roles = [
            (&IDS[..], Self::Ids),
            (&MASK[..], Self::Mask),
            (&KINDS[..], Self::Kinds),
        ];
        roles
            .into_iter()
            .find(|(names, _)| names.contains(&name))
            .map(|(_, role)| role)
    }

    fn part(self, row: &Row) -> &[i64] {
        match self {
            Self::Ids => &row.ids,
            Self::Mask => &row.mask,
            Self::Kinds => &row.kinds,
        }
    }

    fn filler(self, padding: Padding) -> i64 {
        match self {
            Self::Ids => padding.id,
            Self::Mask => 0,
            Self::Kinds => padding.kind,
        }
    }
}

impl Feed {
    /// The feed of a model with these inputs.
    pub(super) fn of(inputs: &[Signature]) -> Result<Self, Misfit> {
        let slots = inputs.iter().map(slot).collect::<Result<Vec<_>, _>>()?;
        if slots.iter().all(|slot| slot.role != Role::Ids) {
            return Err(Misfit::NoIds);
        }
        let fixed = |axis: usize| {
            let mut lengths = inputs.iter().filter_map(|input| *input.shape.get(axis)?);
            lengths.next()
        };
        Ok(Self {
            slots,
            rows: fixed(0),
            length: fixed(1),
        })
    }

    pub(super) fn rows(&self) -> Option<usize> {
        self.rows
    }

    pub(super) fn length(&self) -> Option<usize> {
        self.length
    }

    /// Which of `rows` run together.
    pub(super) fn runs(&self, rows: &[Row]) -> Vec<Vec<usize>> {
        let runs = Runs {
            rows: self.rows,
            length: self.length,
        };
        runs.of(rows)
    }

    /// Whether these tensors are the model's own inputs, not texts.
    pub(super) fn is_fed(&self, tensors: &[Tensor]) -> bool {
        let is_ours = |tensor: &Tensor| self.slots.iter().any(|slot| slot.name == tensor.name);
        tensors.iter().any(is_ours)
    }

    /// Rows as the model's inputs.
    pub(super) fn tensors(&self, rows: &[&Row], padding: Padding) -> Vec<Tensor> {
        let length = self.padded(rows);
        let values = |slot: &Slot| {
            let filler = slot.role.filler(padding);
            let numbers = rows
                .iter()
                .flat_map(|row| padding.fill(slot.role.part(row), filler, length));
            match slot.datatype {
                // Numbers of tokens come as 32 bits; those of a client that are larger were INT64.
                Datatype::Int32 => Values::Int32(
                    numbers
                        .map(|number| i32::try_from(number).unwrap_or(i32::MAX))
                        .collect(),
                ),
                _ => Values::Int64(numbers.collect()),
            }
        };
        let tensor = |slot: &Slot| Tensor {
            name: slot.name.clone(),
            shape: vec![rows.len(), length],
            values: values(slot),
        };
        self.slots.iter().map(tensor).collect()
    }

    /// Which tokens of padded rows are read, row by row.
    pub(super) fn mask(&self, rows: &[&Row], padding: Padding) -> Vec<i64> {
        let length = self.padded(rows);
        rows.iter()
            .flat_map(|row| padding.fill(&row.mask, 0, length))
            .collect()
    }

    /// A row has one token at least, if only of padding: no model takes none.
    fn padded(&self, rows: &[&Row]) -> usize {
        let longest = || rows.iter().map(|row| row.len()).max().unwrap_or_default();
        self.length.unwrap_or_else(longest).max(1)
    }

    /// The rows of the model's own inputs.
    pub(super) fn read(&self, tensors: &[Tensor]) -> Vec<Row> {
        let part = |role: Role| {
            let slot = self.slots.iter().find(|slot| slot.role == role)?;
            let tensor = tensors.iter().find(|tensor| tensor.name == slot.name)?;
            Some((numbers(&tensor.values), *tensor.shape.get(1)?))
        };
        let Some((ids, length)) = part(Role::Ids) else {
            return Vec::new();
        };
        let absent = |filler| vec![filler; ids.len()];
        let mask = part(Role::Mask).map_or_else(|| absent(1), |(mask, _)| mask);
        let kinds = part(Role::Kinds).map_or_else(|| absent(0), |(kinds, _)| kinds);
        let cut = |numbers: &[i64]| {
            let rows = numbers.chunks(length.max(1));
            rows.map(<[i64]>::to_vec).collect::<Vec<_>>()
        };
        let rows = cut(&ids).into_iter().zip(cut(&mask)).zip(cut(&kinds));
        rows.map(|((ids, mask), kinds)| Row { ids, mask, kinds })
            .collect()
    }
}

/// Which tokens are read, of inputs that need not be tokens at all.
pub(super) fn mask(tensors: &[Tensor]) -> Option<Vec<i64>> {
    let is_mask = |tensor: &&Tensor| Role::of(&tensor.name) == Some(Role::Mask);
    let tensor = tensors.iter().find(is_mask)?;
    Some(numbers(&tensor.values)).filter(|numbers| !numbers.is_empty())
}

fn slot(input: &Signature) -> Result<Slot, Misfit> {
    let role = Role::of(&input.name).ok_or_else(|| Misfit::OtherInput {
        input: input.name.clone(),
    })?;
    let is_number = matches!(input.datatype, Datatype::Int32 | Datatype::Int64);
    if !is_number || input.shape.len() != 2 {
        return Err(Misfit::NotTokens {
            input: input.clone(),
        });
    }
    Ok(Slot {
        name: input.name.clone(),
        role,
        datatype: input.datatype,
    })
}

fn numbers(values: &Values) -> Vec<i64> {
    match values {
        Values::Int64(values) => values.clone(),
        Values::Int32(values) => values.iter().copied().map(i64::from).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, datatype: Datatype, shape: &[Option<usize>]) -> Signature {
        Signature {
            name: name.to_owned(),
            datatype,
            shape: shape.to_vec(),
            classes: vec![],
        }
    }

    fn bert() -> Feed {
        let inputs = ["input_ids", "attention_mask", "token_type_ids"]
            .map(|name| input(name, Datatype::Int64, &[None, None]));
        Feed::of(&inputs).unwrap()
    }

    #[test]
    fn rows_become_the_models_inputs_and_rows_again() {
        let (feed, padding) = (bert(), Padding::default());
        let (long, short) = (Row::of(vec![101, 7, 102]), Row::of(vec![101, 102]));
        let tensors = feed.tensors(&[&long, &short], padding);
        let [ids, mask, kinds] = &tensors[..] else {
            panic!("{tensors:?}")
        };
        assert_eq!(ids.shape, [2, 3]);
        assert_eq!(ids.values, Values::Int64(vec![101, 7, 102, 101, 102, 0]));
        assert_eq!(mask.values, Values::Int64(vec![1, 1, 1, 1, 1, 0]));
        assert_eq!(kinds.values, Values::Int64(vec![0; 6]));
        let counts: Vec<_> = feed.read(&tensors).iter().map(Row::count).collect();
        assert_eq!(counts, [3, 2]);
    }

    #[test]
    fn a_model_of_one_length_gets_it() {
        let inputs = [input("input_ids", Datatype::Int32, &[Some(1), Some(4)])];
        let feed = Feed::of(&inputs).unwrap();
        let tensors = feed.tensors(&[&Row::of(vec![5])], Padding::default());
        assert_eq!(tensors[0].shape, [1, 4]);
        assert_eq!(tensors[0].values, Values::Int32(vec![5, 0, 0, 0]));
    }

    #[test]
    fn other_inputs_are_misfits() {
        let pixels = input("pixels", Datatype::Fp32, &[None, Some(64)]);
        let floats = input("input_ids", Datatype::Fp32, &[None, None]);
        let mask = input("attention_mask", Datatype::Int64, &[None, None]);
        let misfit = |input: Signature| Feed::of(&[input]).unwrap_err();
        assert!(matches!(misfit(pixels), Misfit::OtherInput { .. }));
        assert!(matches!(misfit(floats), Misfit::NotTokens { .. }));
        assert!(matches!(misfit(mask), Misfit::NoIds));
    }
}
