//! What the examples of the course share: without arguments the lesson, with numbers as arguments its exercise.

use std::process::ExitCode;

/// Runs the lesson and asks the question; or, if there are arguments, holds them against the truth, which the engine
/// computes: `right` and exit code 0, or the hint and exit code 1. Half a per cent is close enough.
pub fn run(lesson: fn(), question: &str, truth: fn() -> Vec<f64>, hint: &str) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        lesson();
        println!("\nQuestion: {question}");
        return ExitCode::SUCCESS;
    }
    let (numbers, truth): (Vec<f64>, _) = (words.iter().flat_map(|word| word.parse()).collect(), truth());
    if numbers.len() != words.len() || numbers.len() != truth.len() {
        println!("The answer is {} plain number(s), separated by spaces.", truth.len());
        return ExitCode::FAILURE;
    }
    let close = |answer: f64, truth: f64| (answer - truth).abs() <= 0.005 * truth.abs();
    match numbers.iter().zip(&truth).position(|(&answer, &truth)| !close(answer, truth)) {
        None => {
            println!("right");
            ExitCode::SUCCESS
        }
        Some(place) => {
            println!("Number {} is not it. {hint}", place + 1);
            ExitCode::FAILURE
        }
    }
}
