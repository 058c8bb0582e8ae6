//! Computes from the story alone what every shop of the demo must end at. The oracle shares no rule
//! with the domain.

use std::collections::HashSet;

/// How far a campaign of the story lets a shop deliver.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cap {
    Metres(u32),
    Percent(u32),
}

/// A campaign of the story that is in force.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) campaign: u64,
    pub(crate) rank: u8,
    pub(crate) cap: Cap,
    pub(crate) shops: HashSet<String>,
}

/// A radius in metres, and the campaign that decides it.
pub(crate) type Verdict = (u32, Option<u64>);

/// Returns what must be in force at a shop. The highest rank decides, then the narrowest cap, then
/// the oldest campaign. The radius is never wider than the base radius and never below the floor.
pub(crate) fn expected(shop: &str, base: u32, floor: u32, wishes: &[Wish]) -> Verdict {
    let mut best: Option<(u8, u32, u64)> = None;
    for wish in wishes.iter().filter(|wish| wish.shops.contains(shop)) {
        let cap = match wish.cap {
            Cap::Metres(metres) => metres,
            Cap::Percent(percent) => base / 100 * percent + base % 100 * percent / 100,
        };
        let better = match best {
            None => true,
            Some((rank, _, _)) if rank != wish.rank => rank < wish.rank,
            Some((_, narrowest, _)) if narrowest != cap => cap < narrowest,
            Some((_, _, oldest)) => wish.campaign < oldest,
        };
        if better {
            best = Some((wish.rank, cap, wish.campaign));
        }
    }
    match best {
        None => (base, None),
        Some((_, cap, campaign)) => (base.min(floor.max(cap)), Some(campaign)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_of_the_origin_ends_at_one_kilometre() {
        let shops: HashSet<String> = ["shop".to_owned()].into();
        let wish = |campaign, rank, cap| Wish { campaign, rank, cap, shops: shops.clone() };
        let shortage = wish(1, 10, Cap::Metres(3000));
        let failure = wish(2, 10, Cap::Metres(1000));
        let weather = wish(3, 10, Cap::Percent(50));
        let operator = wish(4, 20, Cap::Metres(4000));
        for (wishes, verdict) in [
            (vec![], (5000, None)),
            (vec![shortage.clone()], (3000, Some(1))),
            (vec![shortage.clone(), failure.clone()], (1000, Some(2))),
            (vec![failure.clone(), shortage.clone()], (1000, Some(2))),
            (vec![shortage.clone(), weather.clone()], (2500, Some(3))),
            (vec![failure, shortage, weather, operator], (4000, Some(4))),
        ] {
            assert_eq!(expected("shop", 5000, 100, &wishes), verdict);
        }
        assert_eq!(expected("other", 5000, 100, &[wish(1, 1, Cap::Metres(1))]), (5000, None));
        assert_eq!(expected("shop", 5000, 500, &[wish(1, 1, Cap::Metres(1))]), (500, Some(1)));
    }
}
