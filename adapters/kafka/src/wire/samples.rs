//! Requests and replies of every shape, for properties.

use catchment_domain::{
    CampaignId, CampaignRef, Change, Code, Deadline, DecidedBy, Limit, Outcome, Percent, Position,
    Radius, Replaced, Reply, Request, RequestId, Revision, ShopId, Standing, Status, Timestamp,
    TriggerKind,
};
use proptest::prelude::*;
use uuid::Uuid;

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

pub(super) fn shop() -> impl Strategy<Value = ShopId> {
    "\\PC{1,40}".prop_filter_map("a shop id", |text| text.parse().ok())
}

fn kind() -> impl Strategy<Value = TriggerKind> {
    "[a-z0-9_]{1,31}".prop_map(|name| name.parse().unwrap())
}

fn revision() -> impl Strategy<Value = Revision> {
    (1..=Revision::MAX.0).prop_map(Revision)
}

fn campaign() -> impl Strategy<Value = CampaignRef> {
    (revision(), id()).prop_map(|(revision, id)| CampaignRef { revision, id: CampaignId(id) })
}

/// What RFC 3339 can say, and never.
fn deadline() -> impl Strategy<Value = Deadline> {
    let said = -62_167_219_200_000_i64..=253_402_300_799_999;
    let millis = prop_oneof![4 => said, 1 => Just(i64::MAX)];
    millis.prop_map(|millis| Deadline::at(Timestamp::from_millis(millis)))
}

fn said_deadline() -> impl Strategy<Value = Option<Deadline>> {
    proptest::option::of(
        deadline()
            .prop_filter("one that passes", |deadline| deadline.instant().millis() < i64::MAX),
    )
}

fn radius() -> impl Strategy<Value = Radius> {
    (0..=Radius::MAX.metres()).prop_map(|metres| Radius::try_from(metres).unwrap())
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        Just(Limit::Closed),
        (1..=100_u64).prop_map(|percent| Limit::Percent(Percent::try_from(percent).unwrap())),
        radius()
            .prop_filter_map("an open radius", |radius| radius.try_into().ok())
            .prop_map(Limit::Metres),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let replaced =
        (campaign(), deadline()).prop_map(|(campaign, deadline)| Replaced { campaign, deadline });
    let activate = (campaign(), kind(), limit(), deadline(), proptest::option::of(replaced));
    prop_oneof![
        activate
            .prop_filter("another campaign", |(campaign, .., replaces)| {
                replaces.is_none_or(|replaced| replaced.campaign != *campaign)
            })
            .prop_map(|(campaign, kind, limit, deadline, replaces)| Change::Activate {
                campaign,
                kind,
                limit,
                deadline,
                replaces
            }),
        (campaign(), deadline())
            .prop_map(|(campaign, deadline)| Change::Release { campaign, deadline }),
        (kind(), limit(), said_deadline())
            .prop_map(|(kind, limit, deadline)| Change::ActivateKind { kind, limit, deadline }),
        (kind(), said_deadline())
            .prop_map(|(kind, deadline)| Change::ReleaseKind { kind, deadline }),
        (revision(), radius(), said_deadline()).prop_map(|(revision, radius, deadline)| {
            Change::SetBase { revision, radius, deadline }
        }),
    ]
}

/// Any request that there can be.
pub(super) fn request() -> impl Strategy<Value = Request> {
    (id(), shop(), change()).prop_map(|(id, shop, change)| Request {
        id: RequestId(id),
        shop,
        change,
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let decided_by = prop_oneof![
        Just(DecidedBy::Base),
        (revision(), kind()).prop_map(|(revision, kind)| DecidedBy::Campaign { revision, kind }),
        kind().prop_map(|kind| DecidedBy::Request { kind }),
    ];
    (proptest::option::of(radius()), radius(), decided_by, any::<u64>()).prop_map(
        |(before, after, decided_by, version)| Standing { before, after, decided_by, version },
    )
}

/// Any reply that there can be.
pub(super) fn reply() -> impl Strategy<Value = Reply> {
    let outcome = (
        proptest::sample::select(Status::ALL.to_vec()),
        proptest::option::of(proptest::sample::select(Code::ALL.to_vec())),
        proptest::option::of("\\PC{0,40}".prop_map(String::into_boxed_str)),
        proptest::option::of(standing()),
        any::<bool>(),
    );
    let outcome = outcome.prop_map(|(status, code, detail, standing, repeat)| Outcome {
        status,
        code,
        detail,
        standing,
        repeat,
    });
    let request = proptest::option::of(any::<u64>());
    (id(), proptest::option::of(shop()), outcome, request).prop_map(
        |(id, shop, outcome, request)| Reply {
            id: RequestId(id),
            shop,
            outcome,
            request_position: request.map(Position),
        },
    )
}
