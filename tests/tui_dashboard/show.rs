use crate::fixture::*;
use flowcraft_tui::tui::*;
#[test]
fn show() {
    let mut d = dashboard((80, 24));
    println!("{}", d.text());
    let n: usize = 2;
    d.press("2 g j j enter");
    println!("{}", d.text());
    d.press("j j j tab pagedown");
    println!("{}", d.text());
    d.press("a");
    println!("{}", d.text());
    d.press("esc ?");
    println!("{}", d.text());
    d.press("esc : r e");
    println!("{}", d.text());
    d.press("esc 2 x");
    println!("{}", d.text());
    let preview = Preview {
        lines: vec![
            "run order-0815: status running → cancelled".into(),
            "lock flowcraft:nodelock:order-0815:pack is left to run out".into(),
        ],
        affects: 1,
        plan: None,
    };
    d.hear(Message::Previewed { ticket: 1, result: Ok(preview) });
    println!("{}", d.text());
    d.press("n s");
    println!("{}", d.text());
    d.press("enter");
    d.type_text("x");
    println!("{}", d.text());
    d.press("esc q");
    println!("{}", d.text());
    let mut d = dashboard((200, 60));
    println!("{}", d.text());
    let mut d = dashboard((40, 12));
    println!("{}", d.text());
    let _ = n;
}
