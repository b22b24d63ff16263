# One image for all our processes: backend, worker, mirror and the commands. Label Studio has its own.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN docker/install.sh /srv/fieldloop

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tesseract-ocr tesseract-ocr-por fonts-noto-cjk \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/fieldloop fieldloop \
 && install --directory --owner fieldloop --mode 700 /var/lib/fieldloop/blobs
COPY --from=build /srv/fieldloop /srv/fieldloop
ENV PATH=/srv/fieldloop/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FIELDLOOP_HOME=/var/lib/fieldloop \
    FIELDLOOP_BIND=0.0.0.0:9090
USER fieldloop
WORKDIR /var/lib/fieldloop
EXPOSE 9090
ENTRYPOINT ["fieldloop"]
CMD ["--help"]
