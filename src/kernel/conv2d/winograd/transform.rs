//! Winograd's transforms of a line of values; a tile's are those of its columns and then of its rows.

use crate::lanes::Lanes;

/// F(OUT, 3), `OUT` outputs from `IN = OUT + 2` inputs, by the matrices of Lavin and Gray 2016 (arXiv:1509.09308).
pub trait Transform<const IN: usize, const OUT: usize> {
    /// G g for a line of three weights.
    fn kernel<L: Lanes>(g: [L; 3]) -> [L; IN];
    /// B' d.
    fn input<L: Lanes>(d: [L; IN]) -> [L; IN];
    /// A' m.
    fn output<L: Lanes>(m: [L; IN]) -> [L; OUT];
}

/// Two outputs, from the points 0, 1, -1 and infinity.
pub struct Two;

impl Transform<4, 2> for Two {
    #[inline(always)]
    fn kernel<L: Lanes>([a, b, c]: [L; 3]) -> [L; 4] {
        let (half, outer) = (L::splat(0.5), a.add(c));
        [a, half.mul(outer.add(b)), half.mul(outer.sub(b)), c]
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
    #[inline(always)]
    fn kernel<L: Lanes>([a, b, c]: [L; 3]) -> [L; 6] {
        let (quarter, sixth) = (L::splat(0.25), L::splat(1.0 / 6.0));
        let (outer, far, half) = (a.add(c), quarter.mul(a).add(c), L::splat(0.5).mul(b));
        let minus = L::splat(-1.0 / 6.0);
        [
            quarter.mul(a),
            minus.mul(outer.add(b)),
            minus.mul(outer.sub(b)),
            sixth.mul(far.add(half)),
            sixth.mul(far.sub(half)),
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

/// G g of F(3, 4), the weights' gradient at the points of [`Four`]: a line of outputs' gradients. Its B' is that of `Four`.
#[inline(always)]
pub fn gradient<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 6] {
    let (two, four) = (L::splat(2.0), L::splat(4.0));
    let (minus, small) = (L::splat(-1.0 / 6.0), L::splat(1.0 / 24.0));
    let (even, odd) = (a.add(c), b.add(d));
    let (far, steep) = (four.mul_add(c, a), two.mul(four.mul_add(d, b)));
    [
        L::splat(0.25).mul(a),
        minus.mul(even.add(odd)),
        minus.mul(even.sub(odd)),
        small.mul(far.add(steep)),
        small.mul(far.sub(steep)),
        d,
    ]
}

/// A' m of F(3, 4): the gradients of three weights.
#[inline(always)]
pub fn taps<L: Lanes>([a, b, c, d, e, f]: [L; 6]) -> [L; 3] {
    let (near, far) = (b.add(c), d.add(e));
    [
        a.add(near).add(far),
        L::splat(2.0).mul_add(d.sub(e), b.sub(c)),
        L::splat(4.0).mul_add(far, near).add(f),
    ]
}
