//! Pictures of graphs, and what holds for every graph.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{drawing::named, *};

fn manner(direction: Direction, frames: Frames, room: Room) -> Manner {
    Manner { direction, frames, room, wrap: None }
}

const MANNERS: [(Direction, Frames, Room); 5] = [
    (Direction::Right, Frames::Drawn, Room::Wide),
    (Direction::Down, Frames::Drawn, Room::Plain),
    (Direction::Right, Frames::Bare, Room::Plain),
    (Direction::Down, Frames::Bare, Room::Plain),
    (Direction::Right, Frames::Bare, Room::Tight),
];

/// Graphs of all kinds, as `drawing::named` reads them.
const GRAPHS: [(&str, &str); 12] = [
    ("chain", "fetch>parse parse>store store>tell"),
    ("diamond", "start>left start>right left>join right>join"),
    (
        "conditions",
        "receive>check check>charge:?inStock check>order:?soldOut charge>pack order>pack pack>ship",
    ),
    ("loop", "open>next next>body:continue body>next next>report:break report>mail"),
    ("retry", "try>check check>try:again check>done:ok try>try"),
    ("actions", "check>pay:small check>ask:large ask>pay:approve ask>explain:reject"),
    ("fallback", "load>parse load>copy:fails copy>parse parse>publish"),
    ("layers", "a>c a>d b>c b>d c>e d>e a>f b>f f>e"),
    ("fan", "one>a one>b one>c one>d one>e one>f a>all b>all c>all d>all e>all f>all"),
    ("long", "a>b b>c c>d d>e a>c a>e b>e"),
    ("parts", "a>b c d>e d>f"),
    ("crossing", "a>y b>x c>z a>z b>y c>x"),
];

#[test]
fn pictures() {
    for (name, text) in GRAPHS {
        let mut drawn = String::new();
        for (direction, frames, room) in MANNERS {
            drawn.push_str(&named(text, manner(direction, frames, room)).text());
            drawn.push('\n');
        }
        insta::assert_snapshot!(format!("picture_{name}"), drawn);
    }
    let strip = "one>two two>three three>four four>five:next five>six six>seven seven>eight";
    let narrow = manner(Direction::Right, Frames::Drawn, Room::Plain);
    let wrapped = named(strip, Manner { wrap: Some(40), ..narrow });
    insta::assert_snapshot!("picture_wrapped", wrapped.text());
}

#[test]
fn the_nearest_box_lies_ahead_and_not_far_beside() {
    let sketch = named("a>b a>c b>d c>d", manner(Direction::Down, Frames::Drawn, Room::Plain));
    let picture = lay_out(&sketch.sketch, sketch.manner);
    let go = |from, heading| nearest(&picture, from, heading, |_| Some(0));
    assert_eq!(go(0, Heading::Down), Some(1));
    assert_eq!(go(1, Heading::Right), Some(2));
    assert_eq!(go(2, Heading::Left), Some(1));
    assert_eq!(go(3, Heading::Up), Some(1));
    assert_eq!(go(0, Heading::Up), None);
    // Of two as near the one that ranks first; never one that may not be chosen.
    let second_first = |number| Some(u8::from(number != 2));
    assert_eq!(nearest(&picture, 0, Heading::Down, second_first), Some(2));
    assert_eq!(nearest(&picture, 0, Heading::Down, |number| (number == 3).then_some(0)), Some(3));
}

#[test]
fn a_graph_with_too_many_edges_is_drawn_with_its_shortest_ones() {
    let chain = (1..100).map(|node| (node - 1, node));
    let all = (0..100).flat_map(|source| (0..100).map(move |target| (source, target)));
    let links: Vec<Link> =
        chain.chain(all).map(|(source, target)| Link { source, target, label: 0 }).collect();
    let drawn = thin(100, &links);
    assert!(drawn[..99].iter().all(|drawn| *drawn), "those of the chain");
    let mut left = drawn.into_iter();
    let links: Vec<Link> = links.into_iter().filter(|_| left.next().unwrap()).collect();
    assert!((100..5_000).contains(&links.len()), "{}", links.len());
    let nodes = vec![Extent { width: 6, height: 3 }; 100];
    check(&Sketch { nodes, edges: links }, manner(Direction::Down, Frames::Drawn, Room::Plain));
    assert!(thin(3, &[Link { source: 0, target: 2, label: 0 }])[0], "few are all drawn");
}

/// Any graph, with a mark for whether its edges have labels.
fn any_sketch(most: usize) -> impl Strategy<Value = Sketch> {
    (1..most).prop_flat_map(move |count| {
        let node = (1..24_u16, 1..5_u16)
            .prop_map(|(width, height)| Extent { width: width + 2, height: height + 2 });
        let near = (0..count, 1..4_usize, 0..12_u16).prop_map(move |(source, on, label)| Link {
            source,
            target: (source + on).min(count - 1),
            label: if label > 8 { label } else { 0 },
        });
        let far = (0..count, 0..count, 0..12_u16).prop_map(|(source, target, label)| Link {
            source,
            target,
            label: if label > 8 { label } else { 0 },
        });
        let edge = prop_oneof![4 => near, 1 => far];
        (prop::collection::vec(node, count), prop::collection::vec(edge, 0..count * 2))
            .prop_map(|(nodes, edges)| Sketch { nodes, edges })
    })
}

fn any_manner() -> impl Strategy<Value = Manner> {
    (0..MANNERS.len(), prop::option::of(40..120_u16)).prop_map(|(at, wrap)| {
        let (direction, frames, room) = MANNERS[at];
        let wrap = wrap.filter(|_| room != Room::Tight);
        Manner { wrap, ..manner(direction, frames, room) }
    })
}

fn step(arm: u8) -> (i32, i32) {
    match arm {
        1 => (0, -1),
        2 => (1, 0),
        4 => (0, 1),
        _ => (-1, 0),
    }
}

fn opposite(arm: u8) -> u8 {
    if arm > 2 { arm >> 2 } else { arm << 2 }
}

fn overlap(one: &super::picture::Plot, other: &super::picture::Plot) -> bool {
    one.x < other.x + other.width
        && other.x < one.x + one.width
        && one.y < other.y + other.height
        && other.y < one.y + one.height
}

fn check(sketch: &Sketch, manner: Manner) {
    let picture = lay_out(sketch, manner);
    assert_eq!(picture, lay_out(sketch, manner), "the same twice");
    assert_eq!(picture.boxes.len(), sketch.nodes.len());
    for (number, plot) in picture.boxes.iter().enumerate() {
        assert!(plot.x >= 0 && plot.x + plot.width <= picture.width);
        assert!(plot.y >= 0 && plot.y + plot.height <= picture.height);
        assert!(plot.width >= i32::from(sketch.nodes[number].width));
        assert!(plot.height >= i32::from(sketch.nodes[number].height));
        for other in &picture.boxes[..number] {
            assert!(!overlap(plot, other), "{plot:?} {other:?}");
        }
        assert_eq!(picture.box_at(plot.x, plot.y), Some(number));
    }
    // The cells of each edge.
    let mut ways = vec![std::collections::HashMap::new(); sketch.edges.len()];
    for y in 0..picture.height {
        let cells = picture.cells(y, 0..picture.width);
        assert!(cells.windows(2).all(|pair| pair[0].x < pair[1].x));
        for cell in cells {
            assert_eq!(picture.box_at(cell.x, y), None, "a line through a box");
            for pass in picture.passes(cell) {
                let before = ways[pass.edge].insert((cell.x, y), (pass.arms, pass.head));
                assert_eq!(before, None, "an edge passes each cell once");
            }
        }
        assert!(picture.cells(y, 7..9).iter().all(|cell| (7..9).contains(&cell.x)));
        for label in picture.labels(y) {
            for x in label.x..label.x + label.width {
                assert_eq!(picture.box_at(x, y), None, "a label on a box");
                assert!(x < picture.width);
            }
        }
    }
    for (edge, way) in sketch.edges.iter().zip(&ways) {
        follow(&picture, edge, way);
    }
    if manner.frames == Frames::Drawn || manner.direction == Direction::Down {
        unmistakable(sketch, &picture);
    }
}

/// Goes along an edge from the border of its source to that of its target.
fn follow(picture: &Picture, edge: &Link, way: &std::collections::HashMap<(i32, i32), (u8, bool)>) {
    let (source, target) = (edge.source, edge.target);
    let starts = way.iter().filter_map(|((x, y), (arms, _))| {
        let into = [1_u8, 2, 4, 8].into_iter().find(|arm| {
            let (dx, dy) = step(*arm);
            let there = (x + dx, y + dy);
            arms & arm != 0
                && picture.box_at(there.0, there.1) == Some(source)
                && picture.boxes[source]
                    .ports
                    .iter()
                    .any(|port| (port.x, port.y) == there && port.arms == opposite(*arm))
        })?;
        Some(((*x, *y), into))
    });
    let mut starts: Vec<_> = starts.collect();
    assert_eq!(starts.len(), 1, "{edge:?} leaves its source once: {way:?}");
    let (mut at, mut behind) = starts.remove(0);
    let mut passed = 1;
    loop {
        let (arms, head) = way[&at];
        if head {
            assert_eq!(arms, behind);
            let (dx, dy) = step(opposite(behind));
            assert_eq!(picture.box_at(at.0 + dx, at.1 + dy), Some(target));
            break;
        }
        let ahead = arms & !behind;
        assert_eq!(ahead.count_ones(), 1, "{arms} {behind}");
        let (dx, dy) = step(ahead);
        at = (at.0 + dx, at.1 + dy);
        behind = opposite(ahead);
        assert!(way.contains_key(&at), "{edge:?} breaks off before {at:?}");
        passed += 1;
    }
    assert_eq!(passed, way.len(), "nothing else is drawn of {edge:?}");
}

/// Edges whose lines meet have an end in common, or each leads from the sources of both to the
/// targets of both: whichever way an eye takes where lines meet, there is such an edge.
fn unmistakable(sketch: &Sketch, picture: &Picture) {
    let exists = |source: usize, target: usize| {
        sketch.edges.iter().any(|edge| (edge.source, edge.target) == (source, target))
    };
    for y in 0..picture.height {
        for cell in picture.cells(y, 0..picture.width) {
            let mut groups: Vec<(u8, Vec<usize>)> = Vec::new();
            for pass in picture.passes(cell) {
                let mut own = (pass.arms, vec![pass.edge]);
                groups.retain(|(arms, edges)| {
                    let apart = arms & own.0 == 0;
                    if !apart {
                        own.0 |= arms;
                        own.1.extend(edges);
                    }
                    apart
                });
                groups.push(own);
            }
            for (_, edges) in groups {
                for (at, one) in edges.iter().enumerate() {
                    for other in &edges[..at] {
                        let (a, b) = (&sketch.edges[*one], &sketch.edges[*other]);
                        assert!(
                            a.source == b.source
                                || a.target == b.target
                                || (exists(a.source, b.target) && exists(b.source, a.target)),
                            "{a:?} and {b:?} meet at {},{y}",
                            cell.x
                        );
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_edge_is_drawn_from_its_source_to_its_target(sketch in any_sketch(40), manner in any_manner()) {
        check(&sketch, manner);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn large_graphs_too(sketch in any_sketch(300), manner in any_manner()) {
        check(&sketch, manner);
    }
}
