//! Parts of a data set that share no patient and no text.

use super::minhash::Groups;

/// A part and how large it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Name, such as `train`.
    pub name: String,
    /// Part of the rows, in (0, 1].
    pub part: f64,
}

/// Gives every group to one part, the largest groups first, each to the part that lacks most rows; equal ones in the order
/// of a seeded digest, so that the same rows are split the same way whatever order they come in.
pub(super) fn assign(groups: &mut Groups, keys: &[[u8; 32]], shares: &[Share]) -> Vec<usize> {
    let mut members: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for at in 0..keys.len() {
        members.entry(groups.find(at)).or_default().push(at);
    }
    let mut ordered: Vec<Vec<usize>> = members.into_values().collect();
    let least = |group: &Vec<usize>| group.iter().map(|&at| keys[at]).min();
    ordered.sort_by_key(|group| (std::cmp::Reverse(group.len()), least(group)));
    let all = crate::metrics::count(keys.len());
    let mut room: Vec<f64> = shares.iter().map(|share| share.part * all).collect();
    let mut parts = vec![0; keys.len()];
    for group in ordered {
        let emptiest = (0..room.len()).reduce(|best, next| if room[next] > room[best] { next } else { best });
        let Some(part) = emptiest else { break };
        room[part] -= crate::metrics::count(group.len());
        for at in group {
            parts[at] = part;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_together_and_parts_have_their_size() {
        let keys: Vec<[u8; 32]> = (0..200_u8)
            .map(|at| *seal::Digest::of(&[at]).as_bytes())
            .collect();
        let mut groups = Groups::new(200);
        for at in 0..30 {
            groups.join(at, at + 30);
        }
        let shares = [("train", 0.8), ("dev", 0.1), ("test", 0.1)].map(|(name, part)| Share {
            name: name.to_owned(),
            part,
        });
        let parts = assign(&mut groups, &keys, &shares);
        assert!((0..30).all(|at| parts[at] == parts[at + 30]));
        let size = |part| parts.iter().filter(|&&own| own == part).count();
        assert_eq!([size(0), size(1), size(2)], [160, 20, 20]);
        // Another order of the rows is the same split.
        let reversed: Vec<[u8; 32]> = keys.iter().rev().copied().collect();
        let mut mirrored = Groups::new(200);
        for at in 0..30 {
            mirrored.join(199 - at, 199 - (at + 30));
        }
        let again = assign(&mut mirrored, &reversed, &shares);
        assert!((0..200).all(|at| parts[at] == again[199 - at]));
    }
}
