//! Starts, previews, lists, commands and deletions.

use std::time::Duration;

use catchment_application::{
    Forecast, Page, PreviewPorts, UseCaseError, campaign_outcomes, command_campaign,
    delete_campaigns, list_campaigns, preview_end, preview_start, reach,
};
use catchment_domain::CampaignError;
use catchment_domain::ports::OutcomeFilter;
use catchment_domain::service::{Deletion, Unwanted};
use catchment_domain::{Command, Phase, Revision, Scope, Slot, Status};

use crate::city::{City, in_region};

#[tokio::test]
async fn an_error_names_the_field_and_the_nearest_value() {
    let city = City::with_shops().await;
    for (kind, scope, field, nearest) in [
        ("bad_wether", Scope::everything(), "kind", &["bad_weather"][..]),
        ("manual", Scope::everything(), "limit", &[]),
        ("bad_weather", in_region("Hackny"), "regions", &["Hackney"]),
        (
            "bad_weather",
            Scope { ids: Some(["x".parse().unwrap()].into()), ..Scope::everything() },
            "ids",
            &[],
        ),
    ] {
        match city.plan(kind, scope).await.unwrap_err() {
            UseCaseError::Invalid(error) => assert_eq!(
                (error.field, &error.nearest[..]),
                (field, &nearest.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            ),
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_preview_says_what_a_start_would_change() {
    let city = City::with_shops().await;
    let ports = PreviewPorts { campaigns: &*city.store, shops: &*city.store, policy: &city.policy };
    let plan = city.plan("bad_weather", in_region("Hackney")).await.unwrap();
    let preview = preview_start(ports, &plan).await.unwrap();
    assert_eq!((preview.forecast.shops, preview.forecast.changed), (2, 2));
    assert_eq!((preview.unknown, preview.released), (0, 0));
    let reach = reach(&*city.store, plan.scope.scope()).await.unwrap();
    assert_eq!((reach.shops, reach.all, reach.is_broad()), (2, 3, true));
    assert!(list_campaigns(&*city.store, None, 1).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_end_that_is_refused_has_no_preview() {
    let city = City::with_shops().await;
    let ports = PreviewPorts { campaigns: &*city.store, shops: &*city.store, policy: &city.policy };
    let revision = city.start().await.name.revision;
    let preview = preview_end(ports, revision).await.unwrap();
    assert_eq!((preview.forecast.shops, preview.damaged), (0, Vec::new()));
    command_campaign(&*city.store, revision, Command::End).await.unwrap();
    let error = preview_end(ports, revision).await.unwrap_err();
    assert!(matches!(error, UseCaseError::Conflict(_)), "{error:?}");
    let error = preview_end(ports, Revision(99)).await.unwrap_err();
    assert!(matches!(error, UseCaseError::NotFound(_)), "{error:?}");
}

#[tokio::test]
async fn the_preview_of_an_end_counts_the_shops_where_the_campaign_is_in_force() {
    let city = City::with_shops().await;
    let ports = PreviewPorts { campaigns: &*city.store, shops: &*city.store, policy: &city.policy };
    let campaign = city.start().await;
    city.narrow("a", &campaign).await;
    let preview = preview_end(ports, campaign.name.revision).await.unwrap();
    let Forecast { shops, changed, .. } = preview.forecast;
    assert_eq!((shops, changed, preview.damaged), (1, 1, Vec::new()));
}

#[tokio::test]
async fn a_campaign_that_cannot_be_deleted_is_named_with_the_reason() {
    let city = City::with_shops().await;
    let open = city.start().await.name.revision;
    for (unwanted, kept) in [
        (Unwanted::Campaign(open), vec![(open, CampaignError::NotEnded(open))]),
        (
            Unwanted::Campaign(Revision(99)),
            vec![(Revision(99), CampaignError::Unknown(Revision(99)))],
        ),
        (Unwanted::EndedFor(Duration::ZERO), Vec::new()),
    ] {
        let deletion = delete_campaigns(&*city.store, unwanted, false).await.unwrap();
        assert_eq!(deletion, Deletion { kept, ..Deletion::default() });
    }
    assert_eq!(list_campaigns(&*city.store, None, 9).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn lists_go_on_where_a_page_ends() {
    let city = City::with_shops().await;
    let campaigns = [city.start().await, city.start().await, city.start().await];
    let numbers = campaigns.map(|campaign| campaign.name.revision);
    let page = list_campaigns(&*city.store, None, 2).await.unwrap();
    let listed: Vec<_> = page.items.iter().map(|campaign| campaign.name.revision).collect();
    assert_eq!((&listed[..], page.next), (&numbers[..2], Some(numbers[1])));
    let page = list_campaigns(&*city.store, page.next, 2).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    let full = list_campaigns(&*city.store, Some(numbers[0]), 2).await.unwrap();
    assert_eq!((full.items.len(), full.next), (2, Some(numbers[2])));
    let empty = list_campaigns(&*city.store, full.next, 2).await.unwrap();
    assert_eq!((empty.items.len(), empty.next), (0, None));

    let outcomes = async |status, from, size| {
        let filter = OutcomeFilter { phase: Phase::Activation, status };
        let page = campaign_outcomes(&*city.store, numbers[0], filter, from, size).await;
        let Page { items, next, .. } = page.unwrap();
        (items.len(), next)
    };
    let open = Some(Slot::Open);
    assert_eq!(outcomes(open, None, 2).await, (2, Some(2)));
    assert_eq!(outcomes(open, Some(2), 2).await, (1, None));
    assert_eq!(outcomes(open, None, 3).await, (3, None));
    assert_eq!(outcomes(Some(Slot::Closed(Status::Applied)), None, 3).await, (0, None));
}
