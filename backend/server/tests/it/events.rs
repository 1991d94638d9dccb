//! A search followed by server-sent events.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contract;
use crate::puppet::Puppet;
use crate::server::{Server, fake};

pub struct Event {
    pub name: String,
    pub id: i64,
    pub data: Value,
}

/// The events of a stream, as they come, and the schema of what it follows.
pub struct Stream(BufReader<Box<dyn Read + Send>>, &'static str);

impl Stream {
    pub fn open(server: &Server, search: &str, last_event_id: Option<i64>) -> Self {
        Self::open_with(server, search, last_event_id.map(|id| id.to_string()).as_deref())
    }

    pub fn of_tuning(server: &Server, tuning: &str, last_event_id: Option<i64>) -> Self {
        let id = last_event_id.map(|id| id.to_string());
        Self::at(server, &format!("/tunings/{tuning}/events"), "Tuning", id.as_deref())
    }

    fn open_with(server: &Server, search: &str, last_event_id: Option<&str>) -> Self {
        Self::at(server, &format!("/searches/{search}/events"), "Search", last_event_id)
    }

    fn at(server: &Server, path: &str, schema: &'static str, last_event_id: Option<&str>) -> Self {
        let response = server.stream(path, |request| match last_event_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        });
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(BufReader::new(Box::new(response)), schema)
    }

    /// The next event, or nothing where the stream has ended.
    fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), 0, Value::Null);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = value.parse().unwrap(),
                Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
                _ if !name.is_empty() => break,
                _ => {}
            }
        }
        let schema = match name.as_str() {
            "candidate" if data.get("kept").is_some() => "CandidateRow",
            "candidate" => "Candidate",
            "epoch" => "Epoch",
            _ => self.1,
        };
        contract::check_named(schema, &data);
        Some(Event { name, id, data })
    }

    /// Names of the events up to and with the next one called `last`.
    pub fn until(&mut self, last: &str) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        while events.last().is_none_or(|event| event.name != last) {
            events.push(self.next().expect("the stream goes on"));
        }
        events
    }

    pub fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

fn candidates(events: &[Event]) -> Vec<u64> {
    let candidates = events.iter().filter(|event| event.name == "candidate");
    candidates.map(|event| event.data["index"].as_u64().unwrap()).collect()
}

#[test]
fn events_follow_a_search_and_end_with_it() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let mut stream = Stream::open(&server, &search, None);
    assert_eq!(stream.until("search")[0].data["state"], "queued");

    let claim = puppet.claim();
    let started = stream.until("search");
    assert_eq!(started.last().unwrap().data["state"], "running");
    puppet.begin(&claim.lease);
    for index in 0..3 {
        let stored = Instant::now();
        puppet.candidate(&claim.lease, index, 0.5).unwrap();
        let mut events = stream.until("candidate");
        assert!(stored.elapsed() < Duration::from_secs(2), "events are live");
        assert_eq!(candidates(&events), [u64::from(index)]);
        events.extend(stream.until("search"));
        assert_eq!(events.last().unwrap().data["progress"]["done"], index + 1);
    }
    puppet.finish(&claim.lease);
    let last = stream.rest();
    let names: Vec<&str> = last.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["search", "end"], "the stream closes behind its end");
    assert_eq!(last[1].data["state"], "succeeded");
    assert!(last[1].data["best_candidate_id"].is_string());
}

#[test]
fn candidates_are_told_in_short_where_that_is_asked_for() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    puppet.search(&[0.5, 0.6]);
    let whole = Stream::open(&server, &search, None).rest();
    let path = format!("/searches/{search}/events?candidates=rows");
    let rows = Stream::at(&server, &path, "Search", None).rest();
    let place = |event: &Event| (event.name.clone(), event.id);
    assert_eq!(rows.iter().map(place).collect::<Vec<_>>(), whole.iter().map(place).collect::<Vec<_>>());

    let listed = server.get(&format!("/searches/{search}/candidates/rows")).expect(200);
    let listed = listed["items"].as_array().unwrap();
    let told = rows.iter().zip(&whole).filter(|(row, _)| row.name == "candidate");
    for ((row, whole), listed) in told.zip(listed) {
        assert_eq!(&row.data, listed);
        for field in ["id", "index", "origin", "macs", "parameters", "bytes", "scored_images", "is_tied", "created_at"]
        {
            assert_eq!(row.data[field], whole.data[field], "{field}");
        }
        assert_eq!(row.data["score"]["top1"], whole.data["score"]["top1"]);
        assert_eq!(row.data["intervals"]["top1"], whole.data["intervals"]["top1"]);
        // The puppet's candidates keep so many of their one group.
        assert_eq!(row.data["kept"], json!([16 + whole.data["index"].as_u64().unwrap()]));
    }
    assert_eq!(listed.len(), 2);
    server.get(&format!("/searches/{search}/events?candidates=some")).problem(400, "invalid-parameter", &["rows"]);
}

#[test]
fn ids_only_grow_and_a_client_that_reconnects_misses_nothing_and_sees_nothing_twice() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    puppet.search(&[0.5, 0.6, 0.7, 0.8]);
    let whole = Stream::open(&server, &search, None).rest();
    assert_eq!(candidates(&whole), [0, 1, 2, 3]);
    assert!(whole.windows(2).all(|pair| pair[0].id <= pair[1].id));

    // Whichever event was the last that arrived: seen and new together are everything.
    for (position, event) in whole.iter().enumerate() {
        let again = Stream::open(&server, &search, Some(event.id)).rest();
        let mut all = candidates(&whole[..=position]);
        all.extend(candidates(&again));
        assert_eq!(all, [0, 1, 2, 3], "after event {position} with id {}", event.id);
        assert_eq!(again.last().unwrap().name, "end", "also one that has seen the end is told");
        assert!(again.iter().all(|again| again.id > event.id || again.name == "end"));
    }
}

#[test]
fn an_event_has_the_same_id_live_and_later_so_a_client_that_was_cut_off_at_any_event_sees_none_of_them_again() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let mut stream = Stream::open(&server, &search, None);
    let mut live = stream.until("search");
    let claim = puppet.claim();
    live.extend(stream.until("search"));
    puppet.begin(&claim.lease);
    for index in 0..4 {
        puppet.candidate(&claim.lease, index, 0.5).unwrap();
        live.extend(stream.until("candidate"));
        live.extend(stream.until("search"));
    }
    puppet.finish(&claim.lease);
    live.extend(stream.rest());
    assert!(live.windows(2).all(|pair| pair[0].id < pair[1].id), "each has its own");
    let ids = |events: &[Event]| -> Vec<i64> {
        events.iter().filter(|event| event.name == "candidate").map(|event| event.id).collect()
    };
    assert_eq!(ids(&live), ids(&Stream::open(&server, &search, None).rest()));
    for (position, event) in live.iter().enumerate() {
        let again = Stream::open(&server, &search, Some(event.id)).rest();
        let mut all = candidates(&live[..=position]);
        all.extend(candidates(&again));
        assert_eq!(all, [0, 1, 2, 3], "after event {position} with id {}", event.id);
        assert!(again.iter().all(|again| again.id > event.id || again.name == "end"));
    }
}

#[test]
fn a_failure_and_a_cancel_are_ends_too() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let failing = server.search();
    let claim = puppet.claim();
    puppet.fail(&claim.lease, "the disk is full");
    let events = Stream::open(&server, &failing, None).rest();
    let end = events.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!("failed")));
    assert_eq!(end.data["error"], "the disk is full");

    let cancelled = server.search();
    let stream = Stream::open(&server, &cancelled, None);
    server.post(&format!("/searches/{cancelled}/cancel"), &json!({})).expect(200);
    assert_eq!(stream.rest().last().unwrap().data["state"], "cancelled");
}

#[test]
fn a_search_that_is_deleted_ends_its_stream() {
    let (_data, server) = fake();
    let search = server.search();
    let mut stream = Stream::open(&server, &search, None);
    stream.until("search");
    assert_eq!(server.delete(&format!("/searches/{search}")).status, 204);
    assert!(stream.rest().is_empty());
}

#[test]
fn a_stream_does_not_keep_the_server_from_stopping() {
    let (_data, server) = fake();
    let search = server.search();
    let mut stream = Stream::open(&server, &search, None);
    stream.until("search");
    let took = server.stop();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(stream.rest().is_empty());
}

#[test]
fn a_last_event_id_that_this_stream_has_not_given_begins_it_anew_and_the_stream_ends_with_the_search() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    let strange = ["1000000", "9223372036854775807", "99999999999999999999", "-1", "seven", ""];
    let mut streams = strange.map(|id| Stream::open_with(&server, &search, Some(id)));
    for (id, stream) in strange.iter().zip(&mut streams) {
        let events = stream.until("search");
        assert_eq!(candidates(&events), [0], "after `{id}` everything is told");
        assert_eq!(events.last().unwrap().data["state"], "running");
    }
    puppet.finish(&claim.lease);
    for stream in streams {
        assert_eq!(stream.rest().last().unwrap().name, "end");
    }
    for id in strange {
        let ended = Stream::open_with(&server, &search, Some(id)).rest();
        assert_eq!((candidates(&ended), ended.last().unwrap().name.as_str()), (vec![0], "end"), "after `{id}`");
    }
}

/// Processor time that a process has used, all its threads together.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // utime and stime (proc(5)), in ticks, of which there are a hundred in a second wherever Linux runs.
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

#[test]
fn three_hundred_clients_of_a_search_cost_next_to_nothing_while_nothing_happens_and_all_see_what_does() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let mut streams: Vec<Stream> = (0..300).map(|_| Stream::open(&server, &search, None)).collect();
    for stream in &mut streams {
        assert_eq!(stream.until("search")[0].data["state"], "queued");
    }
    let (before, began) = (processor_time(server.process_id()), Instant::now());
    std::thread::sleep(Duration::from_secs(4));
    let share = (processor_time(server.process_id()) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    eprintln!("{:.1}% of a core with 300 clients", 100.0 * share);
    assert!(share < 0.05, "{:.1}% of a core", 100.0 * share);

    puppet.claim();
    for stream in &mut streams {
        assert_eq!(stream.until("search").last().unwrap().data["state"], "running");
    }
}
