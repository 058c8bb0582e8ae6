//! Request lanes without a consumer, and how the requester reports them.

use crate::process::Process;
use crate::program;
use crate::world::World;

/// Starts a requester that reports a lane that does not move for two seconds.
fn requester(world: &World) -> Process {
    let mut command = world.command(program());
    command.env("CATCHMENT__PROBES__STALLED_AFTER", "2s");
    let mut requester = Process::start(command);
    requester.wait_until_ready();
    requester
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn lanes_that_a_stranger_in_the_group_holds_are_named_with_the_stranger() {
    let world = World::new();
    let store = world.store();
    world.import(&store, 100);
    let mut requester = requester(&world);
    let campaign = world.begin_campaign(&store);
    requester.wait_until_it_says(
        "request lanes: lane 0 stands still at 0: no member of the consumers' group is known",
    );
    let stranger = world.stranger("somebody-elses-tool");
    requester.wait_until_it_says(
        "request lanes: lane 0 stands still at 0: the consumers' group has given it to \
         `somebody-elses-tool` at ",
    );
    stranger.leave(&world);
    let _consumer = world.consume(&store);
    world.wait_until_settled(&store, campaign);
    requester.wait_until_ready();
}
