# The differential test test_http_llhttp compares with llhttp, whose C sources Debian's package node-llhttp installs. Without them the
# test says so and is skipped. Nothing but this test is ever linked with llhttp.
set(llhttp_sources /usr/share/llhttp/api.c /usr/share/llhttp/http.c /usr/share/llhttp/llhttp.c)
set(llhttp_include /usr/share/include/llhttp)
if(TARGET test_http_llhttp AND EXISTS /usr/share/llhttp/llhttp.c AND EXISTS ${llhttp_include}/llhttp.h)
  add_library(llhttp_oracle STATIC EXCLUDE_FROM_ALL ${llhttp_sources})
  target_include_directories(llhttp_oracle SYSTEM PUBLIC ${llhttp_include})
  target_compile_definitions(llhttp_oracle PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp_oracle PRIVATE -w)
  target_sources(test_http_llhttp PRIVATE ${CMAKE_CURRENT_LIST_DIR}/llhttp_oracle.c)
  target_compile_definitions(test_http_llhttp PRIVATE AIRGATE_HAVE_LLHTTP=1)
  target_link_libraries(test_http_llhttp PRIVATE llhttp_oracle)
endif()
