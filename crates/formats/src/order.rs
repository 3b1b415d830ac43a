//! Sorting with code that exists once.
//!
//! The standard library compiles its sort anew for every type and every comparison, 5 to 10 kB of WebAssembly each, and
//! collecting into an ordered map is one more. Nothing here is sorted often, or much.

use std::cmp::Ordering;

/// Sorts as `slice::sort_by` does: what compares equal stays in its order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut places = places(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    for index in 0..items.len() {
        // Each swap puts one item into its place.
        while places[index] != index {
            let place = places[index];
            items.swap(index, place);
            places.swap(index, place);
        }
    }
}

/// Sorts by a key, as `slice::sort_by_key` does.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Where each of so many things belongs.
fn places(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by(|a, b| compare(*a, *b).then(a.cmp(b)));
    let mut places = vec![0; count];
    for (place, index) in order.into_iter().enumerate() {
        places[index] = place;
    }
    places
}

/// Collects one by one.
pub fn gather<T, C: Default + Extend<T>>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn items_come_in_order_and_equals_stay_in_theirs() {
        for count in [0, 1, 2, 7, 100] {
            let mut items: Vec<(u64, usize)> = (0..count).map(|i| (i as u64 * 7919 % 13, i)).collect();
            let mut expected = items.clone();
            expected.sort();
            sort_by_key(&mut items, |item| item.0);
            assert_eq!(items, expected);
        }
    }
}
