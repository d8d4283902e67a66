# w2w with its demo world, for the CPU, on Debian 12.
#   docker build -t w2w .
#   docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:/data" w2w sample --count 2 -o people
# Models lie outside: mount their folders as well and name them with --model and --space.
FROM debian:12-slim AS build
WORKDIR /w2w
COPY scripts scripts
RUN apt-get update && scripts/setup --yes
COPY . .
RUN cmake --preset release -DW2W_TESTS=OFF -DW2W_CUDA=OFF \
    && cmake --build --preset release --target w2w \
    && cmake --install build --component runtime --prefix /installed

FROM debian:12-slim
# What the program links besides the LibTorch that it brings along: tests/scripts/test_docker.py compares.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       libheif1 libjpeg62-turbo libpcre2-8-0 libpng16-16 libsentencepiece0 libssl3 libstb0 libstdc++6 libtiff6 libutf8proc2 \
       libwebp7 libwebpdemux2 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home w2w \
    && install -d -o w2w /data
COPY --from=build /installed /usr/local
USER w2w
WORKDIR /data
ENTRYPOINT ["w2w"]
