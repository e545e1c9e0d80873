//! How often the network is right.

/// The class an output row names: the largest of several, or the side of `threshold` that a single one lies on.
pub fn predicted_class(row: &[f32], threshold: f32) -> usize {
    match row {
        [single] => usize::from(*single > threshold),
        _ => {
            let mut best = 0;
            for (i, x) in row.iter().enumerate() {
                if *x > row[best] {
                    best = i;
                }
            }
            best
        }
    }
}

/// How many rows of logits (n, outputs) name their target's class: Keras's binary or categorical accuracy, times n.
pub fn correct(outputs: usize, logits: &[f32], targets: &[f32]) -> usize {
    let rows = logits.chunks_exact(outputs).zip(targets.chunks_exact(outputs));
    rows.filter(|(z, t)| predicted_class(z, 0.0) == predicted_class(t, 0.5)).count()
}

/// Writes a class as a target row: one-hot, or 0 and 1 for a single output.
pub fn one_hot(class: usize, row: &mut [f32]) {
    match row {
        [single] => *single = class as f32,
        _ => {
            row.fill(0.0);
            if let Some(hot) = row.get_mut(class) {
                *hot = 1.0;
            }
        }
    }
}

/// What pictures were taken for: a row for what they show, a column for what they were taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion(pub Vec<Vec<usize>>);

impl Confusion {
    /// No picture yet.
    pub fn new(classes: usize) -> Self {
        Self(vec![vec![0; classes]; classes])
    }

    /// One more of `label`, taken for `predicted`.
    pub fn count(&mut self, label: usize, predicted: usize) {
        self.0[label][predicted] += 1;
    }

    /// Of those that show the class, the share that was found; `None` where there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.0[class][class], self.0[class].iter().sum())
    }

    /// Of those taken for the class, the share that shows it; `None` where there are none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.0[class][class], self.0.iter().map(|row| row[class]).sum())
    }

    /// The share that was taken for what it is; `None` where there are none.
    pub fn accuracy(&self) -> Option<f64> {
        let right = (0..self.0.len()).map(|class| self.0[class][class]).sum();
        share(right, self.0.iter().flatten().sum())
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_rows() {
        assert_eq!(predicted_class(&[0.6], 0.5), 1);
        assert_eq!(predicted_class(&[0.5], 0.5), 0);
        assert_eq!(predicted_class(&[0.2, 0.5, 0.5], 0.5), 1);
    }

    #[test]
    fn confusion_has_its_shares() {
        let mut confusion = Confusion::new(3);
        for (label, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
            confusion.count(label, predicted);
        }
        assert_eq!(confusion.0, [[2, 1, 0], [0, 1, 0], [0, 0, 0]]);
        assert_eq!([0, 1, 2].map(|c| confusion.recall(c)), [Some(2.0 / 3.0), Some(1.0), None]);
        assert_eq!([0, 1, 2].map(|c| confusion.precision(c)), [Some(1.0), Some(0.5), None]);
        assert_eq!(confusion.accuracy(), Some(0.75));
    }

    #[test]
    fn counts_what_is_right() {
        assert_eq!(correct(1, &[1.0, -1.0, 2.0], &[1.0, 1.0, 1.0]), 2);
        assert_eq!(correct(2, &[1.0, -1.0, 2.0, 3.0], &[1.0, 0.0, 1.0, 0.0]), 1);
        let mut row = [9.0; 3];
        one_hot(2, &mut row);
        assert_eq!(row, [0.0, 0.0, 1.0]);
        one_hot(1, &mut row[..1]);
        assert_eq!(row[0], 1.0);
    }
}
