# docker build -t eagleeye .                        for a CPU
# docker build -t eagleeye --build-arg CUDA=1 .     for an NVIDIA GPU (run with --gpus all)
# docker run -p 127.0.0.1:8080:8080 -v eagleeye:/data eagleeye
FROM node:20-bookworm-slim AS node

FROM rust:1.95-bookworm AS build
ARG CUDA=
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
# Node and npm, of the version that the page is built with; Debian's is older.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /source
COPY . .
RUN cargo xtask setup ${CUDA:+--cuda}
RUN cargo xtask build --release

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data eagleeye && install -d -o eagleeye /data
# The worker finds libtorch by its $ORIGIN/../lib.
COPY --from=build /source/.libtorch/lib /opt/eagleeye/lib
# And ONNX Runtime, in which latency is measured.
COPY --from=build /source/.onnxruntime/libonnxruntime.so /opt/eagleeye/lib/
COPY --from=build /source/target/release/eagleeye /source/target/release/eagleeye-worker /opt/eagleeye/bin/
USER eagleeye
VOLUME /data
EXPOSE 8080
# A container's loopback cannot be reached from outside it; who may reach the container is said by `docker run -p`.
ENTRYPOINT ["/opt/eagleeye/bin/eagleeye", "serve", "--host", "0.0.0.0", "--anyone-may-use-it", "--data", "/data"]
