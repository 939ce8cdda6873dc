# The page (`dfmnist serve`) on a CPU. Build it in a clone of the repository, and open the page at
# http://127.0.0.1:7860:
#
#     docker build --tag dfmnist .
#     docker run --rm --publish 127.0.0.1:7860:7860 dfmnist
#
# PyPI's PyTorch brings CUDA, which takes about 4 GB here and is not used. With the address of an
# index of CPU builds, the image is smaller: --build-arg TORCH_INDEX=ADDRESS.
# `python tests/packaging.py docker` runs these steps in a virtual environment, without Docker.

# The Python that constraints.txt was tested with.
FROM python:3.11-slim

ARG TORCH_INDEX=""
ENV HOME=/app/home \
    DFMNIST_CACHE=/app/home/cache \
    OMP_NUM_THREADS=2 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m pip install --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} '.[app]'
RUN mkdir -p home && chown 10001:10001 home

# From here on without the rights of root.
USER 10001:10001
RUN dfmnist fetch faces

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/', timeout=4)"]
CMD ["dfmnist", "serve", "--host", "0.0.0.0", "--port", "7860"]
