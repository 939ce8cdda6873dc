import numpy as np

from dfmnist.media.noise import add_camera_noise


def grey(level: int, n: int = 4) -> np.ndarray:
    return np.full((n, 128, 128, 3), level, np.uint8)


def residual(level: int, sigma: float = 2.0) -> np.ndarray:
    return add_camera_noise(grey(level), 3, sigma).astype(float) - level


def test_seeded() -> None:
    a, b, c = (add_camera_noise(grey(128), seed) for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert not np.array_equal(a[0], a[1])  # frames differ from one another


def test_off() -> None:
    assert np.array_equal(add_camera_noise(grey(90), 1, sigma=0), grey(90))


def test_size_and_no_bias() -> None:
    for sigma in (1.0, 2.0, 4.0):
        noise = residual(128, sigma)
        assert abs(noise.mean()) < 0.05 * sigma
        assert 0.85 * sigma < noise.std() < 1.35 * sigma


def test_shot_noise_grows_with_light() -> None:
    assert residual(220).std() > 1.2 * residual(30).std()


def test_luma_dominates_and_chroma_is_smooth() -> None:
    noise = residual(128)
    luma = noise @ [0.299, 0.587, 0.114]
    chroma = noise[..., 0] - noise[..., 2]
    assert luma.std() > 1.5 * (noise[..., 0] - luma).std()

    def neighbour(field: np.ndarray) -> float:
        return float(np.corrcoef(field[:, :, 0::2].ravel(), field[:, :, 1::2].ravel())[0, 1])

    assert abs(neighbour(luma)) < 0.2
    assert neighbour(chroma) > 0.5


def test_no_wrap_at_the_ends() -> None:
    assert residual(0).max() < 40
    assert residual(255).min() > -40
