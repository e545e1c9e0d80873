//! Winograd's transforms of a line of values; a tile's are those of its columns and then of its rows.

use crate::kernel::lanes::Lanes;

/// F(OUT, 3): `OUT` outputs from `IN = OUT + 2` inputs, by the matrices of Lavin and Gray 2016 (arXiv:1509.09308).
pub trait Transform<const IN: usize, const OUT: usize> {
    /// G g for a line of three weights.
    fn kernel(g: [f64; 3]) -> [f64; IN];
    /// B' d.
    fn input<L: Lanes>(d: [L; IN]) -> [L; IN];
    /// A' m.
    fn output<L: Lanes>(m: [L; IN]) -> [L; OUT];
}

/// Two outputs, from the points 0, 1, -1 and infinity.
pub struct Two;

impl Transform<4, 2> for Two {
    fn kernel([a, b, c]: [f64; 3]) -> [f64; 4] {
        [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c]
    }

    #[inline(always)]
    fn input<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 4] {
        [a.sub(c), b.add(c), c.sub(b), b.sub(d)]
    }

    #[inline(always)]
    fn output<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 2] {
        [a.add(b).add(c), b.sub(c).sub(d)]
    }
}

/// Four outputs, from the points 0, 1, -1, 2, -2 and infinity.
pub struct Four;

impl Transform<6, 4> for Four {
    fn kernel([a, b, c]: [f64; 3]) -> [f64; 6] {
        let (near, far) = (a + c, a / 4.0 + c);
        [
            a / 4.0,
            -(near + b) / 6.0,
            -(near - b) / 6.0,
            (far + b / 2.0) / 6.0,
            (far - b / 2.0) / 6.0,
            c,
        ]
    }

    #[inline(always)]
    fn input<L: Lanes>([a, b, c, d, e, f]: [L; 6]) -> [L; 6] {
        let four = L::splat(4.0);
        let (even, odd) = (e.sub(four.mul(c)), d.sub(four.mul(b)));
        let (near, far) = (e.sub(c), d.sub(b));
        let twice = far.add(far);
        [
            four.mul_add(a.sub(c), near),
            even.add(odd),
            even.sub(odd),
            near.add(twice),
            near.sub(twice),
            f.sub(d).sub(twice.add(twice)),
        ]
    }

    #[inline(always)]
    fn output<L: Lanes>([a, b, c, d, e, f]: [L; 6]) -> [L; 4] {
        let (near, far) = (b.add(c), d.add(e));
        let (slope, steep) = (b.sub(c), d.sub(e));
        [
            a.add(near).add(far),
            L::splat(2.0).mul_add(steep, slope),
            L::splat(4.0).mul_add(far, near),
            L::splat(8.0).mul_add(steep, slope).add(f),
        ]
    }
}
